// Files about Services: which are served, on which addresses, with how many ports.
import { ClusterState } from '../../../src/state/cluster-state.ts';
import { canonicalIp, ipFamilyOf, parseCidr } from '../../../src/state/ip.ts';
import type { IpFamily, Service, ServicePort } from '../../../src/state/model.ts';
import { isProgrammed, serviceKeyOf } from '../../../src/state/service-ports.ts';
import { asSet, compare, compareFields } from './compare.ts';
import { read, tell } from './objects.ts';
import type { Json, TableCase } from './table-file.ts';

const NODE = 'node';
const FAMILIES = ['IPv4', 'IPv6'] as const;

function stateOf(...objects: Json[]): ClusterState {
  const state = new ClusterState(NODE);
  tell(state, { apply: objects });
  return state;
}
const unitsOf = (state: ClusterState, ipFamily: IpFamily): ServicePort[] =>
  [...state.desired().servicePorts.values()].filter((unit) => unit.ipFamily === ipFamily);
const withoutFamily = (unitKey: string): string => unitKey.slice(0, unitKey.lastIndexOf('/'));

/** Units come from ports, so a Service that has none gets one. */
export function clusterIpByFamily({ service, ipFamily, expect }: TableCase): string[] {
  const ports = service.spec.ports ?? [{ port: 80 }];
  const [unit] = unitsOf(stateOf({ ...service, spec: { ...service.spec, ports } }), ipFamily);
  return compareFields(expect, { clusterIP: () => unit?.clusterIP ?? '' });
}

export function serviceSkipped({ service, expect }: TableCase): string[] {
  return compareFields(expect, { ignored: () => !isProgrammed(read(service) as Service) });
}

export function serviceToPorts({ service, ipFamily, expect }: TableCase): string[] {
  const state = stateOf(...(service ? [service] : []));
  const units = new Map(unitsOf(state, ipFamily).map((unit) => [withoutFamily(unit.key), unit]));
  const expected: Json = expect.servicePorts;
  const sameIps = (ours: readonly string[]) => (theirs: string[]) => (asIps(theirs).join() === ours.join() ? theirs : ours);
  const sameCidrs = (ours: readonly string[]) => (theirs: string[]) =>
    theirs.map((text) => parseCidr(text)?.text).join() === ours.join() ? theirs : ours;
  const check = (key: string, unit: ServicePort): string[] =>
    compareFields(expected[key], {
      clusterIP: (theirs: string) => sameIps([unit.clusterIP])([theirs])[0],
      port: () => unit.port,
      protocol: () => unit.protocol,
      nodePort: () => unit.nodePort,
      healthCheckNodePort: () => healthCheckPort(state, unit),
      externalIPs: sameIps(unit.externalIPs),
      loadBalancerVIPs: sameIps(unit.loadBalancerVIPs),
      loadBalancerSourceRanges: sameCidrs(unit.sourceRanges),
    }).map((fault) => `${key} ${fault}`);
  const keys = compare('service ports', asSet(units.keys()), asSet(Object.keys(expected)));
  return keys.length > 0 ? keys : [...units].flatMap(([key, unit]) => check(key, unit));
}

const asIps = (texts: readonly string[]): (string | null)[] => texts.map(canonicalIp);

function healthCheckPort(state: ClusterState, { key, ipFamily }: ServicePort): number {
  const check = state.desired().healthChecks.get(serviceKeyOf(key));
  return check && check.localReadyEndpoints[ipFamily] !== null ? check.port : 0;
}

/** A unit of ours is a port in one family, theirs a port as one family's proxy sees it. */
export function serviceMap({ steps }: TableCase): string[] {
  const state = new ClusterState(NODE);
  state.takeChanges();
  return steps.flatMap((step: Json, i: number): string[] => {
    tell(state, step);
    const { servicePorts, healthChecks } = state.desired();
    const pending = state.pending.services;
    const changes = step.sync === false ? null : state.takeChanges();
    const updated = changes && new Set([...changes.upserted, ...changes.removed].map(serviceKeyOf)).size;
    return compareFields(step.expect ?? {}, {
      servicePorts: () => new Set([...servicePorts.keys()].map(withoutFamily)).size,
      healthCheckNodePorts: () => Object.fromEntries([...healthChecks].map(([key, { port }]) => [key, port])),
      updatedServices: () => updated,
      pendingServices: () => pending,
    }).map((fault) => `step ${i + 1}: ${fault}`);
  });
}

/** A mixed list as a dual-stack Service has it; CIDRs as its source ranges, addresses as its external IPs. */
export function splitByFamily({ values, expect }: TableCase): string[] {
  const isCidrs = values.some((text: string) => text.includes('/'));
  const spec = { clusterIP: '10.96.0.10', clusterIPs: ['10.96.0.10', 'fd00:96::a'], ports: [{ port: 80 }] };
  const list = isCidrs ? { loadBalancerSourceRanges: values } : { externalIPs: values };
  const state = stateOf({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' }, spec: { ...spec, ...list } });
  return FAMILIES.flatMap((family) => {
    const [unit] = unitsOf(state, family);
    return compare(family, isCidrs ? unit?.sourceRanges : unit?.externalIPs, expect[family]);
  });
}

export function serviceCidrs({ serviceCIDRs, ipFamily, expect }: TableCase): string[] {
  const object = { apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR', metadata: { name: 'kubernetes' } };
  const { serviceCIDRs: known } = stateOf({ ...object, spec: { cidrs: serviceCIDRs } }).desired();
  const ofFamily = known.filter((cidr) => ipFamilyOf(cidr) === ipFamily);
  return compare('serviceCIDRs', asSet(ofFamily), asSet(expect.serviceCIDRs));
}
