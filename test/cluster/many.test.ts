// Objects of all kinds at once.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Pod } from '../../lab/cluster.ts';
import type { KubeObject } from '../../lab/kube-client.ts';
import { KubeCluster } from '../../lab/kube-cluster.ts';
import { clusterIPsOf, endpointsOf, runPod, serviceObject } from '../../lab/kube-objects.ts';
import type { Manifest } from '../../lab/turnout.ts';
import { endpointOf, reach } from '../netns/traffic.ts';

const SERVICES = 500;
const AT_ONCE = 16;
const HELD = 100;
const SAMPLES = 25;

const NUMBERS = Array.from({ length: SERVICES }, (_, index) => index);
const nameOf = (index: number): string => `many-${index}`;
const reference = (index: number) => ({ kind: 'Service', metadata: { namespace: 'default', name: nameOf(index) } });

/** Runs one task for each item, a few at a time; results in the order of items. */
async function forEach<Item, Result>(items: readonly Item[], task: (item: Item) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++;
      results[index] = await task(items[index] as Item);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return results;
}

describe(`${SERVICES} Services`, () => {
  let kube: KubeCluster;
  let caller: Pod;
  let near: Pod;
  let far: Pod;
  let steady = ''; // a Service with connections all the while
  let services: KubeObject[] = [];

  beforeAll(async () => {
    kube = new KubeCluster();
    await kube.start();
    caller = kube.nodes[0].addPod('caller');
    [near, far] = [await kube.echo('near', 0), await kube.echo('far', 1)];
    [steady] = await kube.expose({ name: 'steady', app: 'web' }, near);
    const outcomes = await caller.namespace.agent.hold('steady', { protocol: 'TCP', to: steady, port: 80, count: HELD });
    expect(outcomes.filter(({ ok }) => !ok)).toEqual([]);
  });
  afterAll(() => kube?.close());

  const expectAllAlive = async (): Promise<void> =>
    expect(await caller.namespace.agent.check('steady')).toEqual({ held: HELD, alive: HELD, errors: [] });

  /** Resolves when exactly these Services lead to this many addresses each, in both families and protocols. */
  const inForce = (indexes: readonly number[], endpoints: number): Promise<void> =>
    kube.programmed(`${indexes.length} Services with ${endpoints} endpoints`, (rows) => {
      const many = rows.filter(({ name, address }) => name.startsWith('many-') && address !== '*');
      return many.length === indexes.length * 4 && many.every((row) => row.endpoints.length === endpoints);
    });

  async function expectSamples(pods: readonly Pod[], port: number): Promise<void> {
    const wanted = pods.map((pod) => endpointOf(pod, 'IPv4')).sort();
    for (let sample = 0; sample < SAMPLES; sample++) {
      const service = services[Math.floor((sample * services.length) / SAMPLES)] as KubeObject;
      const seen = await reach(caller.namespace, clusterIPsOf(service)[0], port, 'TCP');
      expect([...seen.keys()].sort(), service.metadata.name).toEqual(wanted);
    }
  }

  test('with a pod, nodes and a range of addresses, made at once, all serve on both nodes', async () => {
    const node = (index: number): Manifest => ({ apiVersion: 'v1', kind: 'Node', metadata: { name: `other${index}` } });
    const range = { cidrs: ['10.97.0.0/24', 'fd00:10:97::/112'] };
    const [made] = await Promise.all([
      forEach(NUMBERS, (index) => kube.client.create(serviceObject({ name: nameOf(index), app: 'web' }))),
      runPod(kube.client, far, 'web'),
      forEach(NUMBERS.slice(0, 50), (index) => kube.client.create(node(index))),
      kube.client.create({ apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR', metadata: { name: 'more' }, spec: range }),
    ]);
    services = made;
    await inForce(NUMBERS, 2);
    await expectSamples([near, far], 80);
    await expectAllAlive();
  });

  test('changed all at once, with both Turnouts killed in the middle, all serve what they became', async () => {
    const ports = ['TCP', 'UDP'].map((protocol) => ({ name: protocol.toLowerCase(), protocol, port: 81, targetPort: 8080 }));
    const killedInTheMiddle = async (): Promise<void> => {
      await kube.programmed('the first of them changed', (rows) => rows.some(({ port }) => port === 81));
      await Promise.all(kube.nodes.map(({ turnout }) => turnout.stop('SIGKILL')));
      await Promise.all(kube.nodes.map(({ turnout }) => turnout.start()));
    };
    await Promise.all([
      forEach(NUMBERS, (index) => kube.client.patch(reference(index), { spec: { ports } })),
      killedInTheMiddle(),
    ]);
    await kube.programmed('all are at port 81', (rows) => {
      const many = rows.filter(({ name }) => name.startsWith('many-'));
      return many.length === SERVICES * 4 && many.every(({ port }) => port === 81);
    });
    await inForce(NUMBERS, 2);
    await expectSamples([near, far], 81);
    await expectAllAlive();
  });

  test('deleted by halves while the API server restarts, the rest serves', async () => {
    const [even, odd] = [0, 1].map((rest) => NUMBERS.filter((index) => index % 2 === rest)) as [number[], number[]];
    await forEach(even.slice(0, SERVICES / 4), (index) => kube.client.delete(reference(index)));
    await kube.server.restartServer();
    await forEach(even.slice(SERVICES / 4), (index) => kube.client.delete(reference(index)));
    services = services.filter((_, index) => index % 2 === 1);
    await inForce(odd, 2);
    await expectSamples([near, far], 81);
    const slices = (await kube.client.list('EndpointSlice')).items;
    expect(endpointsOf(slices, nameOf(1))).toHaveLength(4);
    await expectAllAlive();
  });
});
