// topology: which endpoints of a Service one node uses. The API objects of each case are what is read.
import { ClusterState } from '../../../src/state/cluster-state.ts';
import type { Endpoint } from '../../../src/state/model.ts';
import { asSet, compareFields } from './compare.ts';
import { tell } from './objects.ts';
import type { TableCase } from './table-file.ts';

const textOf = ({ ip, port }: Endpoint): string => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`);

/** A list that a unit never uses is empty here, and null there. Sets compare without order. */
export function topology({ objects, node, expect }: TableCase): string[] {
  const state = new ClusterState(node.name);
  tell(state, { apply: objects });
  const units = [...state.desired().servicePorts.values()];
  const [unit] = units;
  if (!unit || units.length > 1) return [`the objects are ${units.length} service ports, not one`];
  const cluster = asSet(unit.clusterEndpoints.map(textOf));
  const local = asSet(unit.localEndpoints.map(textOf));
  const reachable = asSet([...cluster, ...local]);
  const sameSet = (ours: string[]) => (theirs: string[] | null) => (asSet(theirs ?? []).join() === ours.join() ? theirs : ours);
  return compareFields(expect, {
    clusterEndpoints: sameSet(cluster),
    localEndpoints: sameSet(local),
    allReachableEndpoints: sameSet(reachable),
    hasAnyEndpoints: () => unit.hasEndpoints,
    onlyRemoteEndpoints: () => unit.hasEndpoints && reachable.length === 0,
  });
}
