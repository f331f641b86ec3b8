// From one Service to its units: one for each port and family. (kube-proxy-parity.md 5.1, 5.2)
import { ipFamilyOf } from './ip.ts';
import type { IpFamily, Service, ServicePort } from './model.ts';

/** Labels by which kube-proxy leaves an object to others; presence counts, not the value. */
export const PROXY_NAME_LABEL = 'service.kubernetes.io/service-proxy-name';
export const HEADLESS_LABEL = 'service.kubernetes.io/headless';

export type BareServicePort = Omit<ServicePort, 'clusterEndpoints' | 'localEndpoints' | 'lingeringEndpoints' | 'hasEndpoints'>;

/** 'namespace/name' of the Service that a unit's key belongs to: no name has a colon in it. */
export function serviceKeyOf(unitKey: string): string {
  return unitKey.slice(0, unitKey.indexOf(':'));
}

/** ExternalName and headless Services, and those that name another proxy, have no units. */
export function isProgrammed(service: Service): boolean {
  return service.type !== 'ExternalName' && service.clusterIPs.length > 0 && !(PROXY_NAME_LABEL in service.labels);
}

/** Local counts for external traffic only where there is any: a node port, a load balancer, or external IPs. */
function externalTrafficPolicy(service: Service): ServicePort['externalTrafficPolicy'] {
  const isExternal = service.type === 'NodePort' || service.type === 'LoadBalancer' || service.externalIPs.length > 0;
  return isExternal ? service.externalTrafficPolicy : 'Cluster';
}

/** Units without endpoints. A family without a clusterIP has none, whatever other addresses it has. */
export function servicePortsOf(service: Service): BareServicePort[] {
  if (!isProgrammed(service)) return [];
  return service.clusterIPs.flatMap((clusterIP) => {
    const ipFamily: IpFamily = ipFamilyOf(clusterIP);
    const ofFamily = (addresses: readonly string[]): readonly string[] =>
      addresses.length === 0 ? addresses : [...new Set(addresses.filter((address) => ipFamilyOf(address) === ipFamily))];
    const common = {
      namespace: service.namespace,
      name: service.name,
      ipFamily,
      clusterIP,
      externalIPs: ofFamily(service.externalIPs),
      loadBalancerVIPs: ofFamily(service.loadBalancerVIPs),
      sourceRanges: ofFamily(service.loadBalancerSourceRanges),
      internalTrafficPolicy: service.internalTrafficPolicy,
      externalTrafficPolicy: externalTrafficPolicy(service),
      sessionAffinitySeconds: service.sessionAffinitySeconds,
    };
    return service.ports.map(({ name, protocol, port, nodePort }) => {
      const key = `${service.namespace}/${service.name}:${name}/${protocol}/${ipFamily}`;
      return { key, portName: name, protocol, port, nodePort, ...common };
    });
  });
}

const vipKey = (unit: BareServicePort, address: string): string => `${address} ${unit.port}/${unit.protocol}`;
const nodePortKey = (unit: BareServicePort): string => `nodePort ${unit.nodePort}/${unit.protocol}/${unit.ipFamily}`;

/** The addresses and ports a unit answers on, as keys that no two units may share; that of the cluster IP comes first. */
export function frontendKeysOf(unit: BareServicePort): string[] {
  const vips = [unit.clusterIP, ...unit.externalIPs, ...unit.loadBalancerVIPs];
  const keys = vips.map((address) => vipKey(unit, address));
  if (unit.nodePort > 0) keys.push(nodePortKey(unit));
  return [...new Set(keys)];
}

/** The unit without some of its frontends; its cluster IP stays. */
export function withoutFrontends(unit: BareServicePort, taken: ReadonlySet<string>): BareServicePort {
  const isLeft = (address: string): boolean => !taken.has(vipKey(unit, address));
  return {
    ...unit,
    nodePort: taken.has(nodePortKey(unit)) ? 0 : unit.nodePort,
    externalIPs: unit.externalIPs.filter(isLeft),
    loadBalancerVIPs: unit.loadBalancerVIPs.filter(isLeft),
  };
}

/** The field of the Service that asks for this frontend: 'spec.ports[0].nodePort'. */
export function frontendField(service: Service, unit: BareServicePort, frontend: string): string {
  if (frontend === nodePortKey(unit)) {
    const port = service.ports.findIndex(({ name, protocol }) => name === unit.portName && protocol === unit.protocol);
    return `spec.ports[${port}].nodePort`;
  }
  const indexIn = (addresses: readonly string[]): number => addresses.findIndex((address) => vipKey(unit, address) === frontend);
  const clusterIP = indexIn(service.clusterIPs);
  if (clusterIP >= 0) return service.clusterIPs.length > 1 ? `spec.clusterIPs[${clusterIP}]` : 'spec.clusterIP';
  const externalIP = indexIn(service.externalIPs);
  return externalIP >= 0 ? `spec.externalIPs[${externalIP}]` : 'status.loadBalancer.ingress';
}
