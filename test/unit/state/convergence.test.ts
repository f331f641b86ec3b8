// Whatever way objects took, the same objects end in the same units. Conflicts are settled by arrival ("the one in force
// keeps it"), so on purpose the way does count there: Services here have addresses and node ports of their own, and a
// property of its own looks at Services that share them.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ClusterState } from '../../../src/state/cluster-state.ts';
import type {
  Changes,
  ClusterObject,
  EndpointSlice,
  HealthCheck,
  Node,
  Service,
  ServiceCIDR,
  ServicePort,
} from '../../../src/state/model.ts';
import { printServicePort } from '../../../src/state/print.ts';
import { frontendKeysOf, servicePortsOf } from '../../../src/state/service-ports.ts';
import { NODE, podOf, portOf, sliceOf } from './objects.ts';

type Event = { readonly object: ClusterObject; readonly isDeleted: boolean };

const NAMES = ['s0', 's1', 's2'];

/** The first of the values nearly always: what leaves an object out must not leave all of them out. */
function mostly<T>(usual: T, ...others: T[]): fc.Arbitrary<T> {
  return fc.nat(9).chain((n) => (n < 8 ? fc.constant(usual) : fc.constantFrom(...others)));
}
const policy = fc.constantFrom('Cluster' as const, 'Local' as const);

/** A Service whose addresses and node ports follow from `number`. */
function serviceArbitrary(name: string, number: number): fc.Arbitrary<Service> {
  const both = [`10.96.0.${number}`, `fd00:96::${number}`];
  const http = portOf('http', 80, { nodePort: 30000 + number });
  return fc.record({
    kind: fc.constant('Service' as const),
    namespace: fc.constant('default'),
    name: fc.constant(name),
    type: mostly<Service['type']>('NodePort', 'ClusterIP', 'LoadBalancer', 'ExternalName'),
    labels: mostly<Service['labels']>({}, { 'service.kubernetes.io/service-proxy-name': 'other' }),
    clusterIPs: mostly(both, both.slice(0, 1), both.slice(1), []),
    externalIPs: fc.subarray([`192.0.2.${number}`, `2001:db8::${number}`]),
    loadBalancerVIPs: fc.subarray([`198.51.100.${number}`]),
    loadBalancerSourceRanges: fc.subarray(['203.0.113.0/24', '10.0.0.0/8', 'fd00::/8']),
    ports: fc.subarray([http, portOf('', 81), portOf('http', 80, { protocol: 'UDP' })], { minLength: 1 }),
    internalTrafficPolicy: policy,
    externalTrafficPolicy: policy,
    sessionAffinitySeconds: fc.constantFrom(0, 60),
    healthCheckNodePort: fc.constantFrom(0, 32000 + number),
  });
}

const pod = fc
  .record({
    number: fc.integer({ min: 1, max: 3 }),
    values: fc.record({
      nodeName: fc.constantFrom(NODE, 'node-b', null),
      ready: mostly(true, false),
      serving: fc.boolean(),
      terminating: mostly(false, true),
      zoneHints: mostly(['zone-1'], ['zone-2'], []),
      nodeHints: mostly<string[]>([], [NODE]),
    }),
  })
  .map(({ number, values }) => ({ number, values }));

const slice: fc.Arbitrary<EndpointSlice> = fc
  .record({
    name: fc.constantFrom('e0', 'e1', 'e2', 'e3'),
    serviceName: fc.constantFrom(...NAMES),
    labels: mostly<Service['labels']>({}, { 'service.kubernetes.io/headless': '' }),
    ipFamily: mostly<EndpointSlice['ipFamily']>('IPv4', 'IPv6'),
    ports: fc.subarray(
      [
        { name: 'http', protocol: 'TCP' as const, port: 8080 },
        { name: '', protocol: 'TCP' as const, port: 8081 },
        { name: 'http', protocol: 'UDP' as const, port: 8080 },
      ],
      { minLength: 1 },
    ),
    pods: fc.array(pod, { maxLength: 4 }),
    triggerMs: fc.option(fc.integer({ min: 1, max: 5 })),
  })
  .map(({ pods, triggerMs, ...rest }) => {
    const values = triggerMs === null ? rest : { ...rest, lastChangeTriggerMs: triggerMs };
    const prefix = values.ipFamily === 'IPv4' ? '10.244.1.' : 'fd00:244::';
    return sliceOf(
      pods.map(({ number, values }) => podOf(`${prefix}${number}`, values)),
      values,
    );
  });

const node: fc.Arbitrary<Node> = fc.constantFrom('zone-1', 'zone-2', 'zone-3').map((zone) => {
  return { kind: 'Node', name: NODE, labels: { 'topology.kubernetes.io/zone': zone }, addresses: [], podCIDRs: [] };
});

const otherNode: fc.Arbitrary<Node> = node.map((object) => ({ ...object, name: 'node-b' }));

const serviceCIDR: fc.Arbitrary<ServiceCIDR> = fc.record({
  kind: fc.constant('ServiceCIDR' as const),
  name: fc.constantFrom('a', 'b'),
  cidrs: fc.subarray(['10.96.0.0/16', '10.97.0.0/16', 'fd00:96::/112']),
});

function eventsOf(service: fc.Arbitrary<Service>): fc.Arbitrary<Event[]> {
  const object: fc.Arbitrary<ClusterObject> = fc.oneof(service, service, slice, slice, slice, node, otherNode, serviceCIDR);
  return fc.array(fc.record({ object, isDeleted: fc.nat(3).map((n) => n === 0) }), { minLength: 8, maxLength: 60 });
}
const distinct = eventsOf(fc.oneof(...NAMES.map((name, i) => serviceArbitrary(name, i + 1))));
const contested = eventsOf(fc.oneof(...NAMES.flatMap((name) => [1, 2].map((number) => serviceArbitrary(name, number)))));

const namespaceOf = (object: ClusterObject): string => ('namespace' in object ? object.namespace : '');

function tell(state: ClusterState, { object, isDeleted }: Event): void {
  if (isDeleted) state.delete(object.kind, namespaceOf(object), object.name);
  else state.upsert(object);
}

/** The objects that are left in the end. */
function finalObjects(events: readonly Event[]): ClusterObject[] {
  const left = new Map<string, ClusterObject>();
  for (const { object, isDeleted } of events) {
    const key = `${object.kind} ${object.name}`;
    if (isDeleted) left.delete(key);
    else left.set(key, object);
  }
  return [...left.values()];
}

const linesOf = (state: ClusterState): string[] => [...state.desired().servicePorts.values()].map(printServicePort).sort();

/** All of the picture, as plain values that do not depend on the order of anything. */
function pictureOf(state: ClusterState) {
  const { servicePorts, healthChecks, serviceCIDRs, node } = state.desired();
  return { servicePorts: sorted(servicePorts), healthChecks: sorted(healthChecks), serviceCIDRs, node };
}
const sorted = <V>(map: ReadonlyMap<string, V>): [string, V][] => [...map].sort(([a], [b]) => (a < b ? -1 : 1));

test('any way to the same objects ends in the same picture, in whatever order a fresh state gets them', () => {
  const shuffled = distinct.chain((events) => {
    const objects = finalObjects(events);
    return fc.tuple(fc.constant(events), fc.shuffledSubarray(objects, { minLength: objects.length }));
  });
  fc.assert(
    fc.property(shuffled, fc.nat(5), fc.nat(7), ([events, objects], looksEvery, takesEvery) => {
      const state = new ClusterState(NODE);
      for (const [i, event] of events.entries()) {
        tell(state, event);
        if (event.isDeleted)
          tell(state, event); // told twice
        else state.upsert(structuredClone(event.object));
        if (looksEvery > 0 && i % looksEvery === 0) state.desired();
        if (takesEvery > 0 && i % takesEvery === 0) state.takeChanges();
      }
      const fresh = new ClusterState(NODE);
      for (const object of objects) fresh.upsert(object);
      expect(linesOf(state)).toEqual(linesOf(fresh));
      expect(pictureOf(state)).toEqual(pictureOf(fresh));
      expect(state.takeConflicts()).toEqual([]);
    }),
    { numRuns: 500 },
  );
});

/** Applies what changed, and nothing else. */
class Mirror {
  readonly servicePorts = new Map<string, ServicePort>();
  readonly healthChecks = new Map<string, HealthCheck>();
  readonly triggerTimesMs = new Map<string, number[]>();

  apply(state: ClusterState, { upserted, removed, healthChecks, endpoints }: Required<Changes>): void {
    const desired = state.desired();
    for (const key of removed) this.servicePorts.delete(key);
    for (const key of upserted) this.servicePorts.set(key, desired.servicePorts.get(key) as ServicePort);
    for (const key of healthChecks) {
      const check = desired.healthChecks.get(key);
      if (check) this.healthChecks.set(key, check);
      else this.healthChecks.delete(key);
    }
    for (const [key, { triggerTimesMs }] of endpoints) {
      this.triggerTimesMs.set(key, [...(this.triggerTimesMs.get(key) ?? []), ...triggerTimesMs]);
    }
  }
}

test('one who applies only what changed has the same picture, also when some applications fail', () => {
  fc.assert(
    fc.property(contested, fc.infiniteStream(fc.constantFrom('wait', 'apply', 'fail', 'half', 'one')), (events, steps) => {
      const state = new ClusterState(NODE);
      const mirror = new Mirror();
      for (const event of events) {
        tell(state, event);
        const { value: step } = steps.next();
        if (step === 'wait') continue;
        const changes = state.takeChanges();
        if (step === 'apply' || step === 'half') mirror.apply(state, changes);
        // Half of it was written, then more came, and only then it is known to have failed.
        if (step === 'half') tell(state, event);
        if (step === 'fail' || step === 'half') state.restoreChanges(changes);
        // A single unit failed, as the loop tells it.
        if (step === 'one') {
          const [first = ''] = changes.upserted;
          const before = mirror.servicePorts.get(first);
          mirror.apply(state, changes);
          if (before) mirror.servicePorts.set(first, before);
          else mirror.servicePorts.delete(first);
          if (first) state.restoreChanges({ full: false, upserted: new Set([first]), removed: new Set() });
        }
      }
      mirror.apply(state, state.takeChanges());
      expect({
        ...pictureOf(state),
        servicePorts: sorted(mirror.servicePorts),
        healthChecks: sorted(mirror.healthChecks),
      }).toEqual(pictureOf(state));
      expect(state.hasChanges).toBe(false);
      expect(state.pending).toEqual({ services: 0, endpoints: 0 });
    }),
    { numRuns: 500 },
  );
});

test('what is told as changed is changed, and nothing else is, while nothing fails', () => {
  fc.assert(
    fc.property(contested, fc.infiniteStream(fc.boolean()), (events, takes) => {
      const state = new ClusterState(NODE);
      let before = new Map(state.desired().servicePorts);
      for (const event of events) {
        tell(state, event);
        state.desired(); // makes units, also those that the next event takes away
        if (!takes.next().value) continue;
        const { upserted, removed } = state.takeChanges();
        const after = new Map(state.desired().servicePorts);
        const isChanged = (key: string): boolean => before.get(key) !== after.get(key);
        expect([...upserted].sort()).toEqual([...after.keys()].filter(isChanged).sort());
        expect([...removed].sort()).toEqual([...before.keys()].filter((key) => !after.has(key)).sort());
        before = after;
      }
    }),
    { numRuns: 500 },
  );
});

test('failures change nothing of when endpoints are told to have changed', () => {
  const slices = fc.array(fc.record({ object: slice, isDeleted: fc.nat(5).map((n) => n === 0) }), { maxLength: 30 });
  fc.assert(
    fc.property(slices, fc.infiniteStream(fc.constantFrom('wait', 'fail')), (events, steps) => {
      const [smooth, bumpy] = [new ClusterState(NODE), new ClusterState(NODE)];
      for (const event of events) {
        const failing = steps.next().value === 'fail' ? bumpy.takeChanges() : null;
        for (const state of [smooth, bumpy]) tell(state, event);
        if (failing) bumpy.restoreChanges(failing);
      }
      const timesOf = (state: ClusterState): [string, readonly number[]][] =>
        sorted(state.takeChanges().endpoints).map(([key, { triggerTimesMs }]) => [key, triggerTimesMs]);
      expect(timesOf(bumpy)).toEqual(timesOf(smooth));
    }),
    { numRuns: 500 },
  );
});

test('no two units answer on one address and port, and none waits for what nobody has', () => {
  fc.assert(
    fc.property(contested, (events) => {
      const state = new ClusterState(NODE);
      for (const event of events) tell(state, event);
      const taken = [...state.desired().servicePorts.values()].flatMap(frontendKeysOf);
      expect(new Set(taken).size).toBe(taken.length);
      const wanted = finalObjects(events).flatMap((object) => (object.kind === 'Service' ? servicePortsOf(object) : []));
      for (const unit of wanted) {
        const frontends = frontendKeysOf(unit);
        // A unit without its cluster IP waits as a whole.
        const missed = state.desired().servicePorts.has(unit.key) ? frontends : frontends.slice(0, 1);
        expect(taken).toEqual(expect.arrayContaining(missed));
      }
    }),
    { numRuns: 500 },
  );
});
