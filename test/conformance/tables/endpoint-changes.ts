// Files about what follows from changed EndpointSlices: clean-up of flows, local ready counts, trigger times.
import { ClusterState } from '../../../src/state/cluster-state.ts';
import { isUdpCleanupDue } from '../../../src/state/endpoint-changes.ts';
import { SliceIndex } from '../../../src/state/slice-index.ts';
import { asSet, compare, compareFields } from './compare.ts';
import { endpointsOf, servicesIn } from './endpoints-of.ts';
import { type Deletion, type Operation, operate, operateSlice, slicesIn } from './objects.ts';
import { servicesFor } from './services-for.ts';
import type { Json, TableCase } from './table-file.ts';

const adding = (objects: readonly Json[]): Operation[] => objects.map((object) => ({ op: 'add', object }));

/** The lists come from the slices, all that follows from the state, which has a Service for each that the slices speak of. */
export function endpointsMap({ nodeName, initial, operations, expect }: TableCase): string[] {
  const index = new SliceIndex();
  const state = new ClusterState(nodeName);
  const slices = slicesIn([...adding(initial), ...operations]);
  const services = servicesIn(slices);
  for (const service of servicesFor(slices)) state.upsert(service);
  const tell = (operation: Operation): void => {
    operateSlice(index, operation);
    operate(state, operation);
  };
  for (const operation of adding(initial)) tell(operation);
  const before = endpointsOf(index, services, nodeName, expect.before);
  state.takeChanges();
  for (const operation of operations) tell(operation);
  const changes = state.takeChanges();
  return compareFields(expect, {
    before: () => before,
    after: (after: Json) => endpointsOf(index, services, nodeName, after),
    conntrackCleanupRequired: () => isUdpCleanupDue(changes),
    localReadyEndpoints: () => localReadyCounts(state),
    changedServices: (expected: string[]) => asSet(changes.endpoints.keys()).join() === asSet(expected).join() && expected,
  });
}

/** What the health checks of the state's Services say; those with none are left out. */
function localReadyCounts(state: ClusterState): Record<string, number> {
  const counts = [...state.desired().healthChecks].map(([key, { localReadyEndpoints }]): [string, number] => {
    return [key, (localReadyEndpoints.IPv4 ?? 0) + (localReadyEndpoints.IPv6 ?? 0)];
  });
  return withoutZeros(Object.fromEntries(counts));
}
const withoutZeros = (counts: Record<string, number>): Record<string, number> =>
  Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));

/** A case's objects, and what it changes then. */
interface Step {
  readonly apply?: Json[];
  readonly objects?: Json[];
  readonly delete?: Deletion[];
  readonly expect: Json;
}

const KNOWN_FIELDS = new Set(['id', 'name', 'note', 'nodeName', 'objects', 'then', 'expect', 'basis']);

/** Of the objects only the slices count: the Services are ours, since the tables' have no port number or no health check. */
export function healthCheckLocalCount(one: TableCase): string[] {
  const { nodeName, objects, then, expect } = one;
  const unknown = Object.keys(one).filter((field) => !KNOWN_FIELDS.has(field));
  if (unknown.length > 0) return [`this runner knows no fields ${unknown.join(', ')}`];
  const steps: Step[] = [{ objects, expect }, ...[then ?? []].flat()];
  const operationsOf = (step: Step): Operation[] => [
    ...adding([...(step.objects ?? []), ...(step.apply ?? [])].filter(({ kind }) => kind === 'EndpointSlice')),
    ...(step.delete ?? []).map((object) => ({ op: 'delete', object })),
  ];
  const state = new ClusterState(nodeName);
  for (const service of servicesFor(slicesIn(steps.flatMap(operationsOf)))) state.upsert(service);
  return steps.flatMap((step) => {
    for (const operation of operationsOf(step)) operate(state, operation);
    return compareFields(step.expect, {
      servicesWithLocalReadyEndpoints: () => Object.keys(localReadyCounts(state)).length,
      localReadyEndpoints: (expected: Record<string, number>) => {
        const counts = localReadyCounts(state);
        return compare('', counts, withoutZeros(expected)).length === 0 ? expected : counts;
      },
    });
  });
}

export function lastChangeTriggerTime({ trackerStart, operations, expect }: TableCase): string[] {
  const state = new ClusterState('node', { startedAtMs: Date.parse(trackerStart) });
  for (const operation of operations) operate(state, operation);
  const times = [...state.takeChanges().endpoints].filter(([, { triggerTimesMs }]) => triggerTimesMs.length > 0);
  const found = Object.fromEntries(times.map(([key, { triggerTimesMs }]) => [key, triggerTimesMs]));
  const inMs = (texts: string[]): number[] => texts.map((text) => Date.parse(text));
  const expected = Object.entries<string[]>(expect.lastChangeTriggerTimes).map(([key, texts]) => [key, inMs(texts)]);
  return compare('lastChangeTriggerTimes', found, Object.fromEntries(expected));
}
