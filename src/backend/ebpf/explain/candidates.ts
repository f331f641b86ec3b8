// Which endpoints a new connection may get, why these, and who was left out.
import type { ExplainedCandidates, ExplainedService } from '../../../cli/explain-report.ts';
import { addressOctets, endpointText } from '../../../datapath/address.ts';
import { type Backend, BackendFlag, type Extent, type Frontend } from '../../../datapath/layout.gen.ts';
import { type EndpointFact, whyLeftOut } from '../../../state/endpoint-facts.ts';
import type { ServiceTables } from '../service-tables.ts';
import type { ClientKind } from './matched-rule.ts';

/** As frontend_candidates() in lookup.h chooses it. */
export function listOf({ policy, frontend }: ExplainedService, client: ClientKind): 'cluster' | 'local' {
  if (policy === 'Cluster') return 'cluster';
  return frontend === 'ClusterIP' || client === 'external' ? 'local' : 'cluster';
}

function whyThisList({ policyName, policy, frontend }: ExplainedService, client: ClientKind): string {
  if (policy === 'Cluster')
    return `${policyName} is Cluster: ready endpoints of all nodes, or those that hints assign to this zone or node`;
  if (frontend === 'ClusterIP') return 'internalTrafficPolicy is Local: endpoints on this node only';
  if (client === 'external') return 'externalTrafficPolicy is Local and the client is outside: endpoints on this node only';
  const who = client === 'pod' ? 'pods of this node' : 'this node itself';
  return `externalTrafficPolicy is Local, but ${who} may use all endpoints, as with kube-proxy`;
}

function readList(tables: ServiceTables, { base, count }: Extent): Backend[] {
  return Array.from({ length: count }, (_, i) => tables.readBackend(base + i));
}

export interface Sampled {
  readonly chosen: ReadonlyMap<string, number>;
  readonly runs: number;
  /** Every endpoint that the slices have; null when no process can be asked, so that only the tables tell. */
  readonly known: readonly EndpointFact[] | null;
}

/** chosen: how often each endpoint was given in `runs` runs. */
export function candidatesOf(
  tables: ServiceTables,
  frontend: Frontend,
  service: ExplainedService,
  client: ClientKind,
  { chosen, runs, known }: Sampled,
): ExplainedCandidates {
  const list = listOf(service, client);
  const candidates = readList(tables, list === 'local' ? frontend.local : frontend.cluster);
  const rows = candidates.map((backend) => ({
    endpoint: endpointText(backend),
    isLocal: (backend.flags & BackendFlag.LB_BACKEND_LOCAL) !== 0,
    chosen: chosen.get(endpointText(backend)) ?? 0,
  }));
  const listed = new Set(rows.map(({ endpoint }) => endpoint));
  const leftOut: { endpoint: string; why: string }[] = [];
  const leave = (backends: readonly Pick<Backend, 'address' | 'port'>[], why: string): void => {
    for (const endpoint of backends.map(endpointText)) {
      if (listed.has(endpoint)) continue;
      listed.add(endpoint);
      leftOut.push({ endpoint, why });
    }
  };
  for (const fact of known ?? []) {
    leave([{ address: addressOctets(fact.ip), port: fact.port }], whyLeftOut(fact, list === 'local'));
  }
  if (list === 'local') leave(readList(tables, frontend.cluster), 'not on this node');
  leave(readList(tables, frontend.local), 'hints assign it to another zone or node');
  leave(
    readList(tables, frontend.lingering),
    'nothing new goes there: it is not ready, or terminating, or hints assign it elsewhere',
  );
  return { list, why: whyThisList(service, client), runs, rows, leftOut };
}
