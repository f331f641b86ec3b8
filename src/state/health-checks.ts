// What the health-check node port of a Service answers with. (kube-proxy-parity.md 3.3)
import { mergeEndpoints, portsOf } from './endpoints.ts';
import type { EndpointSlice, HealthCheck, IpFamily, Service, ServicePort } from './model.ts';

/** Only load balancers ask which nodes have endpoints, and only where that matters to them. */
function needsHealthCheck(service: Service): boolean {
  return service.type === 'LoadBalancer' && service.externalTrafficPolicy === 'Local' && service.healthCheckNodePort > 0;
}

/**
 * Distinct addresses of ready endpoints on this node, whatever ports of the slices they stand for. Those that terminate do
 * not count, though traffic may still use them: the load balancer shall go elsewhere.
 */
export function localReadyAddresses(slices: readonly EndpointSlice[], ipFamily: IpFamily, nodeName: string): Set<string> {
  const addresses = new Set<string>();
  for (const port of portsOf(slices, ipFamily)) {
    for (const { endpoint } of mergeEndpoints(slices, port, nodeName)) {
      if (endpoint.ready && endpoint.isLocal) addresses.add(endpoint.ip);
    }
  }
  return addresses;
}

/** Null: the Service has none. units: those that it has; each of their families is asked, and answers, on its own. */
export function healthCheckOf(
  service: Service,
  units: readonly Pick<ServicePort, 'ipFamily'>[],
  slices: readonly EndpointSlice[],
  nodeName: string,
): HealthCheck | null {
  if (!needsHealthCheck(service) || units.length === 0) return null;
  const families = new Set(units.map(({ ipFamily }) => ipFamily));
  const count = (family: IpFamily): number | null =>
    families.has(family) ? localReadyAddresses(slices, family, nodeName).size : null;
  return {
    namespace: service.namespace,
    name: service.name,
    port: service.healthCheckNodePort,
    localReadyEndpoints: { IPv4: count('IPv4'), IPv6: count('IPv6') },
  };
}
