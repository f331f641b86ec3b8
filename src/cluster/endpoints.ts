// Endpoints v1, for API servers without EndpointSlices: each subset becomes a slice for each family it has addresses of.

interface EndpointAddress {
  readonly ip?: string;
  readonly nodeName?: string;
}
interface Endpoints {
  readonly metadata?: { readonly name?: string; readonly namespace?: string; readonly labels?: Record<string, string> };
  readonly subsets?: readonly {
    readonly addresses?: readonly EndpointAddress[];
    readonly notReadyAddresses?: readonly EndpointAddress[];
    readonly ports?: readonly { readonly name?: string; readonly port?: number; readonly protocol?: string }[];
  }[];
}

const familyOf = (ip: string): 'IPv4' | 'IPv6' => (ip.includes(':') ? 'IPv6' : 'IPv4');

/** EndpointSlices as the API would show them. At least one, so that an object without addresses still stands for its Service. */
export function slicesOfEndpoints(value: object): object[] {
  const { metadata = {}, subsets = [] } = value as Endpoints;
  const name = metadata.name ?? '';
  const slice = (suffix: string, addressType: string, endpoints: object[], ports: readonly object[]): object => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `${name}-${suffix}`,
      namespace: metadata.namespace,
      labels: { ...metadata.labels, 'kubernetes.io/service-name': name },
    },
    addressType,
    endpoints,
    ports,
  });
  const slices = subsets.flatMap(({ addresses = [], notReadyAddresses = [], ports = [] }, i) => {
    const endpoints = [
      ...addresses.map((address) => ({ address, ready: true })),
      ...notReadyAddresses.map((address) => ({ address, ready: false })),
    ].map(({ address: { ip = '', nodeName }, ready }) => ({
      addresses: [ip],
      ...(nodeName && { nodeName }),
      conditions: { ready },
    }));
    return (['IPv4', 'IPv6'] as const).flatMap((family) => {
      const ofFamily = endpoints.filter(({ addresses: [ip = ''] }) => familyOf(ip) === family);
      return ofFamily.length > 0 ? [slice(`${i}-${family.toLowerCase()}`, family, ofFamily, ports)] : [];
    });
  });
  return slices.length > 0 ? slices : [slice('empty', 'IPv4', [], [])];
}
