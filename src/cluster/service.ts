// Service v1 -> our plain value. Fields and their defaults: kube-proxy-parity.md 5.2.
import { ipFamilyOf } from '../state/ip.ts';
import type { Protocol, Service } from '../state/model.ts';
import { isProgrammed } from '../state/service-ports.ts';
import { LEFT_OUT, type ObjectReader } from './object-reader.ts';

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
  const seen = new Set<string>();
  const faultsBefore = spec.faults.length;
  return spec.objects('ports').flatMap((port) => {
    const number = port.port('port');
    if (number === 0 && port.faults.length === faultsBefore) port.fault('port', 'is required');
    const name = port.string('name');
    const protocol = port.wordOrNull('protocol', PROTOCOLS, 'TCP');
    const nodePort = port.port('nodePort');
    if (protocol === null) return [];
    const key = `${name}/${protocol}`;
    if (seen.has(key)) port.fault('name', `is a second port ${JSON.stringify(name)} of protocol ${protocol}`);
    seen.add(key);
    return [{ name, protocol, port: number, nodePort }];
  });
}

/** Only addresses that the node answers for: ipMode VIP, or none given; hostnames are left out. '' where there is none. */
function readLoadBalancerVIPs(ingress: readonly ObjectReader[]): string[] {
  return ingress.map((one) => (one.wordOrNull('ipMode', ['VIP', 'Proxy'], 'VIP') === 'VIP' ? one.ipOrNothing('ip') : ''));
}

/** kube-proxy leaves out what it cannot read, and would open a load balancer to everybody when nothing is left: a fault here. */
function readSourceRanges(spec: ObjectReader): string[] {
  return spec.cidrs('loadBalancerSourceRanges', (field, text) => {
    spec.fault(field, `is no CIDR: ${JSON.stringify(text)}`);
    return [];
  });
}

/** Says what of a programmed Service is not served; kube-proxy leaves the same out, and says so in its verbose log. */
function tellUnserved(
  service: Service,
  spec: ObjectReader,
  externalIPs: readonly string[],
  vips: readonly string[],
  ingress: readonly ObjectReader[],
): void {
  if (!isProgrammed(service)) return;
  if (service.ports.length === 0) spec.omit('ports', 'is empty; nothing is served');
  const families = new Set(service.clusterIPs.map(ipFamilyOf));
  const tell = (address: string, reader: ObjectReader | undefined, field: string): void => {
    const family = ipFamilyOf(address);
    if (address === '' || families.has(family)) return;
    reader?.omit(field, `is an ${family} address, and the Service has no ${family} cluster IP; ${LEFT_OUT}`);
  };
  for (const [i, address] of externalIPs.entries()) tell(address, spec, `externalIPs[${i}]`);
  for (const [i, address] of vips.entries()) tell(address, ingress[i], 'ip');
}

const isThere = (address: string): boolean => address !== '';

export function readService(object: ObjectReader, namespace: string, name: string): Service {
  const spec = object.object('spec');
  const affinity = spec.word('sessionAffinity', ['None', 'ClientIP'], 'None');
  const timeout = spec.object('sessionAffinityConfig').object('clientIP').integer('timeoutSeconds', 1, 86_400);
  const type = spec.word('type', ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'], 'ClusterIP');
  const externalIPs = spec.ipsOrNothing('externalIPs');
  const ingress = object.object('status').object('loadBalancer').objects('ingress');
  const vips = readLoadBalancerVIPs(ingress);
  const service: Service = {
    kind: 'Service',
    namespace,
    name,
    type,
    labels: object.object('metadata').labels('labels'),
    clusterIPs: type === 'ExternalName' ? [] : readClusterIPs(spec),
    externalIPs: externalIPs.filter(isThere),
    loadBalancerVIPs: vips.filter(isThere),
    loadBalancerSourceRanges: readSourceRanges(spec),
    ports: readPorts(spec),
    internalTrafficPolicy: spec.word('internalTrafficPolicy', POLICIES, 'Cluster'),
    externalTrafficPolicy: spec.word('externalTrafficPolicy', POLICIES, 'Cluster'),
    sessionAffinitySeconds: affinity === 'ClientIP' ? timeout || DEFAULT_AFFINITY_SECONDS : 0,
    healthCheckNodePort: spec.port('healthCheckNodePort'),
  };
  tellUnserved(service, spec, externalIPs, vips, ingress);
  return service;
}
