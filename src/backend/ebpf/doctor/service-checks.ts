// Services that lead nowhere, and node ports that cannot work from outside.
import { type Check, listed, type Remark } from './check.ts';
import type { DoctorFacts, PortRange, ServiceFact } from './facts.ts';

const ONE_BY_ONE = 3;

const ofService = ({ services }: DoctorFacts, service: string): ServiceFact[] =>
  services.filter((one) => service === '' || one.service === service);

/** One line for each Service. */
function byService(facts: readonly ServiceFact[]): Map<string, ServiceFact[]> {
  const grouped = new Map<string, ServiceFact[]>();
  for (const fact of facts) grouped.set(fact.service, [...(grouped.get(fact.service) ?? []), fact]);
  return grouped;
}

function lookAtExistence(facts: DoctorFacts, service: string): Remark[] {
  if (service === '' || ofService(facts, service).length > 0) return [];
  const advice =
    'Look whether it exists, has a ClusterIP, and no label service.kubernetes.io/service-proxy-name; the log of turnout names Services that it refuses.';
  return [{ severity: 'problem', sentence: `The Service ${service} is not programmed on this node.`, advice }];
}

/** Services without pods are ordinary in a large cluster: beyond a few they are listed in one finding. */
function lookAtEndpoints(facts: DoctorFacts, service: string): Remark[] {
  const empty = byService(ofService(facts, service).filter(({ hasEndpoints }) => !hasEndpoints));
  if (empty.size > ONE_BY_ONE) {
    const sentence = `${empty.size} Services have no ready endpoint: connections to them are refused.`;
    const advice = 'Right for those that are scaled to zero; `turnout doctor --service=NAMESPACE/NAME` looks at one.';
    return [{ severity: 'warning', sentence, evidence: listed([...empty.keys()]), advice }];
  }
  return [...empty].map(([name, ports]) => {
    const [namespace = '', bare = ''] = name.split('/');
    return {
      severity: service === '' ? 'warning' : 'problem',
      sentence: `The Service ${name} has no ready endpoint: connections are refused.`,
      evidence: listed([...new Set(ports.map(({ port }) => port))], 3),
      advice: `See which endpoints are not ready: kubectl get endpointslices -n ${namespace} -l kubernetes.io/service-name=${bare} -o yaml`,
    };
  });
}

function lookAtInternalLocal(facts: DoctorFacts, service: string): Remark[] {
  const stuck = ofService(facts, service).filter(
    (one) => one.kind === 'ClusterIP' && one.isLocalPolicy && one.hasEndpoints && one.localEndpoints === 0,
  );
  return [...byService(stuck).keys()].map((name) => ({
    severity: service === '' ? 'warning' : 'problem',
    sentence: `internalTrafficPolicy of ${name} is Local and no endpoint is on this node: what pods here send to its ClusterIP is dropped.`,
    advice: 'Run its pods on every node (a DaemonSet), or use the policy Cluster.',
  }));
}

function lookAtExternalLocal(facts: DoctorFacts, service: string): Remark[] {
  const stuck = ofService(facts, service).filter(
    (one) => one.kind !== 'ClusterIP' && one.isLocalPolicy && one.hasEndpoints && one.localEndpoints === 0,
  );
  return [...byService(stuck).keys()].map((name) => ({
    severity: service === '' ? 'info' : 'warning',
    sentence: `externalTrafficPolicy of ${name} is Local and no endpoint is on this node: clients outside are dropped here.`,
    advice: 'Send to a node that has one: load balancers learn that from the health-check node port. Or use the policy Cluster.',
  }));
}

const nodePortsOf = ({ services }: DoctorFacts): number[] => [
  ...new Set(services.flatMap(({ kind, portNumber }) => (kind === 'NodePort' ? [portNumber] : []))),
];
const isIn = (port: number, { first, last }: PortRange): boolean => port >= first && port <= last;
const rangeText = ({ first, last }: PortRange): string => `${first}-${last}`;
const RESERVE = 'sysctl -w net.ipv4.ip_local_reserved_ports=';

/** A node port that the node's own connections may use as their source is taken from the Service, or from them. */
function lookAtNodePorts(facts: DoctorFacts): Remark[] {
  const { localPorts, reservedPorts, snatPorts } = facts;
  const remarks: Remark[] = [];
  const taken = localPorts
    ? nodePortsOf(facts).filter((port) => isIn(port, localPorts) && !reservedPorts.some((range) => isIn(port, range)))
    : [];
  if (localPorts && taken.length > 0) {
    const sentence =
      'Node ports lie in the range from which the node takes source ports for its own connections: replies to those may be taken for requests.';
    const advice = `Narrow net.ipv4.ip_local_port_range, or reserve the node ports: ${RESERVE}30000-32767`;
    remarks.push({ severity: 'warning', sentence, evidence: `${listed(taken.map(String))} in ${rangeText(localPorts)}`, advice });
  }
  const masqueraded = snatPorts ? nodePortsOf(facts).filter((port) => isIn(port, snatPorts)) : [];
  if (snatPorts && masqueraded.length > 0) {
    const sentence = 'Node ports lie in the range of source ports for masqueraded connections.';
    remarks.push({
      severity: 'warning',
      sentence,
      evidence: `${listed(masqueraded.map(String))} in ${rangeText(snatPorts)}`,
      advice: 'Move --ebpf-snat-port-range away from the node ports.',
    });
  }
  return remarks;
}

function lookAtSnatPorts({ localPorts, snatPorts, reservedPorts }: DoctorFacts): Remark[] {
  if (!localPorts || !snatPorts) return [];
  const overlap = { first: Math.max(localPorts.first, snatPorts.first), last: Math.min(localPorts.last, snatPorts.last) };
  if (overlap.first > overlap.last || reservedPorts.some(({ first, last }) => first <= overlap.first && last >= overlap.last))
    return [];
  const sentence =
    "Source ports for masqueraded connections overlap those of the node's own: searches for a free one take longer and can fail.";
  const advice = `Move --ebpf-snat-port-range, or reserve its ports: ${RESERVE}${rangeText(snatPorts)}`;
  return [
    {
      severity: 'warning',
      sentence,
      evidence: `${rangeText(overlap)} is in both; net.ipv4.ip_local_port_range is ${rangeText(localPorts)}`,
      advice,
    },
  ];
}

const SERVICE = 'Service not reachable';
const OUTSIDE = 'Node port not reachable from outside';

export const SERVICE_CHECKS: readonly Check[] = [
  { name: 'service-programmed', symptom: SERVICE, fine: 'The Service is programmed.', look: lookAtExistence },
  { name: 'endpoints', symptom: SERVICE, fine: 'Every Service has a ready endpoint.', look: lookAtEndpoints },
  {
    name: 'internal-local',
    symptom: SERVICE,
    fine: 'Every Service with internalTrafficPolicy Local has an endpoint here.',
    look: lookAtInternalLocal,
  },
  {
    name: 'external-local',
    symptom: OUTSIDE,
    fine: 'Every Service with externalTrafficPolicy Local has an endpoint here.',
    look: lookAtExternalLocal,
  },
  { name: 'node-port-range', symptom: OUTSIDE, fine: 'Node ports are apart from all other ports.', look: lookAtNodePorts },
  {
    name: 'snat-port-range',
    symptom: 'Slow, or connections stall',
    fine: 'Source ports for masquerading are apart from all other ports.',
    look: lookAtSnatPorts,
  },
];
