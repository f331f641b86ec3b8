// Canonical text of units, for scenario tests, the fake backend and debugging. Same content, same text.
import { hostPort } from './ip.ts';
import type { DesiredState, Endpoint, ServicePort } from './model.ts';

/** As kube-proxy prints a service port: 'default/web:http', or 'default/web' when the port has no name. */
export function servicePortName(unit: Pick<ServicePort, 'namespace' | 'name' | 'portName'>): string {
  return unit.portName === '' ? `${unit.namespace}/${unit.name}` : `${unit.namespace}/${unit.name}:${unit.portName}`;
}

/** One line: 'svc default/web:http 10.96.0.10:80/TCP nodePort=30080 backends=3'. Fields with their usual value are left out. */
export function printServicePort(unit: ServicePort): string {
  const words = [`svc ${servicePortName(unit)} ${hostPort(unit.clusterIP, unit.port)}/${unit.protocol}`];
  if (unit.nodePort > 0) words.push(`nodePort=${unit.nodePort}`);
  if (unit.externalIPs.length > 0) words.push(`externalIPs=${unit.externalIPs.join(',')}`);
  if (unit.loadBalancerVIPs.length > 0) words.push(`loadBalancerVIPs=${unit.loadBalancerVIPs.join(',')}`);
  if (unit.sourceRanges.length > 0) words.push(`sourceRanges=${unit.sourceRanges.join(',')}`);
  if (unit.internalTrafficPolicy === 'Local') words.push('internalTrafficPolicy=Local');
  if (unit.externalTrafficPolicy === 'Local') words.push('externalTrafficPolicy=Local');
  if (unit.sessionAffinitySeconds > 0) words.push(`affinity=${unit.sessionAffinitySeconds}s`);
  words.push(`backends=${unit.clusterEndpoints.length}`);
  const usesLocal = unit.internalTrafficPolicy === 'Local' || unit.externalTrafficPolicy === 'Local';
  if (usesLocal) words.push(`local=${unit.localEndpoints.length}`);
  if (!unit.hasEndpoints) words.push('no-endpoints');
  return words.join(' ');
}

/** '10.0.0.1:80', with what is not usual about it: '10.0.0.1:80 local terminating'. */
export function printEndpoint(endpoint: Endpoint): string {
  const words = [hostPort(endpoint.ip, endpoint.port)];
  if (endpoint.isLocal) words.push('local');
  if (!endpoint.ready) words.push('not-ready');
  if (!endpoint.serving) words.push('not-serving');
  if (endpoint.terminating) words.push('terminating');
  return words.join(' ');
}

/** One line a unit, sorted by key; with `endpoints`, its lists indented below it. Ends with a line end unless empty. */
export function printDesiredState(
  desired: Pick<DesiredState, 'servicePorts'>,
  options: { readonly endpoints?: boolean } = {},
): string {
  const units = [...desired.servicePorts.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  const lines = units.flatMap((unit) => {
    const list = (title: string, endpoints: readonly Endpoint[]): string[] =>
      endpoints.map((endpoint) => `  ${title} ${printEndpoint(endpoint)}`);
    const below = options.endpoints
      ? [
          ...list('cluster', unit.clusterEndpoints),
          ...list('local', unit.localEndpoints),
          ...list('lingering', unit.lingeringEndpoints),
        ]
      : [];
    return [printServicePort(unit), ...below];
  });
  return lines.map((line) => `${line}\n`).join('');
}
