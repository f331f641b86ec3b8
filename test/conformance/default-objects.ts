// What an API server would have filled in: the rules of tools/default_objects.py, for the sparse objects of the cases.
import type { KubeObject } from './flow-file.ts';

// biome-ignore lint/suspicious/noExplicitAny: sparse JSON, whose shape the rules below establish
type Json = any;

function defaultService(service: Json): void {
  service.spec ??= {};
  const { spec } = service;
  const ports: Json[] = spec.ports ?? [];
  const ingress: Json[] = service.status?.loadBalancer?.ingress ?? [];
  spec.type ||= ingress.length > 0 ? 'LoadBalancer' : ports.some((port) => port.nodePort) ? 'NodePort' : 'ClusterIP';
  if (spec.type !== 'ExternalName' && spec.clusterIP) {
    spec.clusterIPs ??= [spec.clusterIP];
    if (spec.clusterIP !== 'None') {
      spec.ipFamilies ??= [spec.clusterIP.includes(':') ? 'IPv6' : 'IPv4'];
      spec.ipFamilyPolicy ??= 'SingleStack';
    }
  }
  spec.sessionAffinity ??= 'None';
  if (spec.type !== 'ExternalName') spec.internalTrafficPolicy ??= 'Cluster';
  if (['NodePort', 'LoadBalancer'].includes(spec.type) || spec.externalIPs?.length) spec.externalTrafficPolicy ??= 'Cluster';
  for (const port of ports) {
    if (!port.targetPort && port.port) port.targetPort = port.port;
    if (port.nodePort === 0 || spec.type === 'ClusterIP') delete port.nodePort;
  }
  for (const one of ingress) one.ipMode ??= 'VIP';
}

function defaultSlice(slice: Json): void {
  slice.addressType ??= 'IPv4';
  slice.endpoints ??= [];
  slice.ports ??= [];
  for (const endpoint of slice.endpoints) {
    endpoint.conditions ??= {};
    const { conditions } = endpoint;
    conditions.ready ??= true;
    conditions.serving ??= conditions.ready;
    conditions.terminating ??= false;
  }
}

/** A defaulted copy. */
export function defaultObject(object: KubeObject): KubeObject {
  const copy = structuredClone(object);
  if (copy.kind === 'Service') defaultService(copy);
  if (copy.kind === 'EndpointSlice') defaultSlice(copy);
  return copy;
}
