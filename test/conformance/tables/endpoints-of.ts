// Endpoints as the tables write them: by 'namespace/name:port/PROTOCOL', sorted by address.
import { mergeEndpoints, portsOf } from '../../../src/state/endpoints.ts';
import type { Endpoint, EndpointSlice } from '../../../src/state/model.ts';
import type { SliceIndex } from '../../../src/state/slice-index.ts';
import type { Json } from './table-file.ts';

export const FAMILIES = ['IPv4', 'IPv6'] as const;

const hostPort = ({ ip, port }: Endpoint): string => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`);

export const servicesIn = (slices: readonly EndpointSlice[]): Set<string> =>
  new Set(slices.map(({ namespace, serviceName }) => `${namespace}/${serviceName}`));

/** In the words of the expectation: only the fields that it gives. Ports without endpoints are left out. */
export function endpointsOf(index: SliceIndex, services: Iterable<string>, nodeName: string, expected: Json): Json {
  const [sample = { endpoint: '' }] = Object.values<Json[]>(expected).flat();
  const inWords = (endpoint: Endpoint): Json => {
    const known: Json = { ...endpoint, endpoint: hostPort(endpoint) };
    return Object.fromEntries(Object.keys(sample).map((field) => [field, known[field]]));
  };
  const ports = [...services].flatMap((service) =>
    FAMILIES.flatMap((family) => portsOf(index.of(service), family)).map((port) => {
      const endpoints = mergeEndpoints(index.of(service), port, nodeName).map(({ endpoint }) => inWords(endpoint));
      return [`${service}:${port.portName}/${port.protocol}`, endpoints] as const;
    }),
  );
  return Object.fromEntries(ports.filter(([, endpoints]) => endpoints.length > 0));
}
