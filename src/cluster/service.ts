// Service v1 -> our plain value. Fields and their defaults: kube-proxy-parity.md 5.2.
import { ipFamilyOf, parseCidr } from '../state/ip.ts';
import type { Protocol, Service } from '../state/model.ts';
import type { ObjectReader } from './object-reader.ts';

export const PROTOCOLS: readonly Protocol[] = ['TCP', 'UDP', 'SCTP'];
const DEFAULT_AFFINITY_SECONDS = 10_800; // what the API server sets
const POLICIES = ['Cluster', 'Local'] as const;

/** At most one address of each family, in ipFamilies' order where that is given; none for a headless Service. */
function readClusterIPs(spec: ObjectReader): string[] {
  if (spec.string('clusterIP') === 'None' || spec.strings('clusterIPs')[0] === 'None') return [];
  const listed = spec.has('clusterIPs') ? spec.ips('clusterIPs') : [];
  const single = spec.ip('clusterIP');
  const addresses = listed.length > 0 ? listed : single === '' ? [] : [single];
  return addresses.filter((address, i) => {
    const isFirst = addresses.findIndex((other) => ipFamilyOf(other) === ipFamilyOf(address)) === i;
    if (!isFirst) spec.fault(`clusterIPs[${i}]`, 'is a second address of one family');
    return isFirst && address !== '';
  });
}

function readPorts(spec: ObjectReader): Service['ports'] {
  const ports = spec.objects('ports').map((port) => {
    const number = port.port('port');
    if (number === 0 && port.faults.length === 0) port.fault('port', 'is required');
    return {
      name: port.string('name'),
      protocol: port.word('protocol', PROTOCOLS, 'TCP'),
      port: number,
      nodePort: port.port('nodePort'),
    };
  });
  const seen = new Set<string>();
  for (const [i, port] of ports.entries()) {
    const key = `${port.name}/${port.protocol}`;
    if (seen.has(key))
      spec.fault(`ports[${i}].name`, `is a second port ${JSON.stringify(port.name)} of protocol ${port.protocol}`);
    seen.add(key);
  }
  return ports;
}

/** Only addresses that the node answers for: ipMode VIP, or none given; hostnames are left out. */
function readLoadBalancerVIPs(status: ObjectReader): string[] {
  return status
    .object('loadBalancer')
    .objects('ingress')
    .filter((ingress) => ingress.word('ipMode', ['VIP', 'Proxy'], 'VIP') === 'VIP')
    .map((ingress) => ingress.ip('ip'))
    .filter((ip) => ip !== '');
}

function readSourceRanges(spec: ObjectReader): string[] {
  return spec.strings('loadBalancerSourceRanges').flatMap((text, i) => {
    const cidr = parseCidr(text);
    if (!cidr) spec.fault(`loadBalancerSourceRanges[${i}]`, `is no CIDR: ${JSON.stringify(text)}`);
    return cidr ? [cidr.text] : [];
  });
}

export function readService(object: ObjectReader, namespace: string, name: string): Service {
  const spec = object.object('spec');
  const affinity = spec.word('sessionAffinity', ['None', 'ClientIP'], 'None');
  const timeout = spec.object('sessionAffinityConfig').object('clientIP').integer('timeoutSeconds', 1, 86_400);
  const type = spec.word('type', ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'], 'ClusterIP');
  return {
    kind: 'Service',
    namespace,
    name,
    type,
    labels: object.object('metadata').labels('labels'),
    clusterIPs: type === 'ExternalName' ? [] : readClusterIPs(spec),
    externalIPs: spec.ips('externalIPs'),
    loadBalancerVIPs: readLoadBalancerVIPs(object.object('status')),
    loadBalancerSourceRanges: readSourceRanges(spec),
    ports: readPorts(spec),
    internalTrafficPolicy: spec.word('internalTrafficPolicy', POLICIES, 'Cluster'),
    externalTrafficPolicy: spec.word('externalTrafficPolicy', POLICIES, 'Cluster'),
    sessionAffinitySeconds: affinity === 'ClientIP' ? timeout || DEFAULT_AFFINITY_SECONDS : 0,
    healthCheckNodePort: spec.port('healthCheckNodePort'),
  };
}
