// From one Service to its units: one for each port and family. (kube-proxy-parity.md 5.1, 5.2)
import { ipFamilyOf } from './ip.ts';
import type { IpFamily, Service, ServicePort } from './model.ts';

/** Labels by which kube-proxy leaves an object to others; presence counts, not the value. */
export const PROXY_NAME_LABEL = 'service.kubernetes.io/service-proxy-name';
export const HEADLESS_LABEL = 'service.kubernetes.io/headless';

export type BareServicePort = Omit<ServicePort, 'clusterEndpoints' | 'localEndpoints' | 'hasEndpoints'>;

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
    const ofFamily = (addresses: readonly string[]): string[] => addresses.filter((address) => ipFamilyOf(address) === ipFamily);
    return service.ports.map((port) => ({
      key: `${service.namespace}/${service.name}:${port.name}/${port.protocol}/${ipFamily}`,
      namespace: service.namespace,
      name: service.name,
      portName: port.name,
      protocol: port.protocol,
      ipFamily,
      clusterIP,
      port: port.port,
      nodePort: port.nodePort,
      externalIPs: ofFamily(service.externalIPs),
      loadBalancerVIPs: ofFamily(service.loadBalancerVIPs),
      internalTrafficPolicy: service.internalTrafficPolicy,
      externalTrafficPolicy: externalTrafficPolicy(service),
      sessionAffinitySeconds: service.sessionAffinitySeconds,
    }));
  });
}

/** The addresses and ports a unit answers on, as keys that no two units may share. */
export function frontendKeysOf(unit: BareServicePort): string[] {
  const vips = [unit.clusterIP, ...unit.externalIPs, ...unit.loadBalancerVIPs];
  const keys = vips.map((address) => `${address} ${unit.port}/${unit.protocol}`);
  if (unit.nodePort > 0) keys.push(`nodePort ${unit.nodePort}/${unit.protocol}/${unit.ipFamily}`);
  return [...new Set(keys)];
}
