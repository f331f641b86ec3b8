// The API server goes and comes, history is forgotten, Turnout restarts: connections stay, and nothing is missed.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ClusterNode, Pod } from '../../lab/cluster.ts';
import { KubeCluster } from '../../lab/kube-cluster.ts';
import { clusterIPsOf, podReference, runPod, serviceObject } from '../../lab/kube-objects.ts';
import { until } from '../../lab/turnout.ts';
import { endpointOf, reach } from '../netns/traffic.ts';

const HELD = 200;

describe('when something is away', () => {
  let kube: KubeCluster;
  let node1: ClusterNode;
  let caller: Pod;
  let near: Pod;
  let far: Pod;
  let clusterIP = '';

  const web = { kind: 'Service', metadata: { namespace: 'default', name: 'web' } };
  const getWeb = () => kube.client.get(web);

  beforeAll(async () => {
    kube = new KubeCluster();
    [node1] = kube.nodes;
    caller = node1.addPod('caller');
    [near, far] = [await kube.echo('near', 0), await kube.echo('far', 1)];
  });
  afterAll(() => kube?.close());

  async function hold(name: string): Promise<void> {
    const outcomes = await caller.namespace.agent.hold(name, { protocol: 'TCP', to: clusterIP, port: 80, count: HELD });
    expect(outcomes.filter(({ ok }) => !ok)).toEqual([]);
  }
  const expectAllAlive = async (name: string): Promise<void> =>
    expect(await caller.namespace.agent.check(name)).toEqual({ held: HELD, alive: HELD, errors: [] });
  async function expectAnswers(...pods: Pod[]): Promise<void> {
    const seen = await reach(caller.namespace, clusterIP, 80, 'TCP');
    expect([...seen.keys()].sort()).toEqual(pods.map((pod) => endpointOf(pod, 'IPv4')).sort());
  }

  test('without an API server Turnout waits, is not healthy, and says why; it is ready soon after the server is', async () => {
    for (const { turnout } of kube.nodes) turnout.launch();
    for (const { turnout } of kube.nodes) await turnout.logged('The API server cannot be read');
    expect(kube.nodes.map((node) => kube.health(node))).toEqual([503, 503]);
    await kube.startServer();
    for (const { turnout } of kube.nodes) await turnout.ready();
    for (const node of kube.nodes) await until(`${node.name} is healthy`, () => kube.health(node) === 200);
    [clusterIP] = await kube.expose({ name: 'web' }, near, far);
    await expectAnswers(near, far);
  });

  test('an API server that goes away later changes nothing, and what happened meanwhile to its objects comes with it', async () => {
    await hold('away');
    await kube.server.stopServer();
    await node1.turnout.logged('what is programmed stays in force');
    await expectAllAlive('away');
    await expectAnswers(near, far);
    expect(kube.health(node1)).toBe(200);
    await kube.server.startServer();
    await kube.client.delete(podReference(far));
    await kube.inForce(await getWeb(), near);
    await expectAllAlive('away');
    await expectAnswers(near);
    await runPod(kube.client, far, 'web');
    await kube.inForce(await getWeb(), near, far);
  });

  test('Turnout that wakes up after its version was compacted away lists again and misses nothing', async () => {
    await hold('compacted');
    const pids = kube.nodes.map(({ turnout }) => turnout.instancePid);
    for (const pid of pids) process.kill(pid, 'SIGSTOP');
    try {
      await kube.client.create(serviceObject({ name: 'born', app: 'web' }));
      await kube.client.delete(podReference(far));
      await kube.client.waitFor('EndpointSlice', 'the slices of born', (slices) =>
        slices.some(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === 'born'),
      );
      kube.server.compact();
      // Its cache would still know: without it the API server asks etcd for history.
      await kube.server.restartServer(['--watch-cache=false']);
    } finally {
      for (const pid of pids) process.kill(pid, 'SIGCONT');
    }
    for (const { turnout } of kube.nodes) await turnout.logged('listing again');
    await kube.inForce(await getWeb(), near);
    const born = await kube.client.get({ ...web, metadata: { ...web.metadata, name: 'born' } });
    await kube.inForce(born, near);
    await expectAllAlive('compacted');
    await expectAnswers(near);
    const [bornIP] = clusterIPsOf(born);
    expect([...(await reach(caller.namespace, bornIP, 80, 'TCP')).keys()]).toEqual([endpointOf(near, 'IPv4')]);
    expect(kube.nodes.map(({ turnout }) => turnout.instancePid)).toEqual(pids);
  });

  test('Turnout that restarts finds what came and went meanwhile', async () => {
    await hold('restarted');
    await Promise.all(kube.nodes.map(({ turnout }) => turnout.stop('SIGKILL')));
    await runPod(kube.client, far, 'web');
    await kube.client.delete({ ...web, metadata: { ...web.metadata, name: 'born' } });
    await kube.client.waitFor('EndpointSlice', 'no slices of born', (slices) =>
      slices.every(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] !== 'born'),
    );
    await expectAllAlive('restarted');
    await expectAnswers(near); // as it was left
    await Promise.all(kube.nodes.map(({ turnout }) => turnout.start()));
    await kube.inForce(await getWeb(), near, far);
    await kube.programmed('born is gone', (rows) => !rows.some(({ name }) => name === 'born'));
    await expectAllAlive('restarted');
    await expectAnswers(near, far);
  });

  test('Turnout that starts while the API server is away keeps what the last one programmed', async () => {
    await hold('both');
    await kube.server.stopServer();
    await node1.turnout.stop();
    node1.turnout.launch();
    await node1.turnout.logged('The API server cannot be read');
    await expectAllAlive('both');
    await expectAnswers(near, far);
    await kube.server.startServer();
    await node1.turnout.ready();
    await expectAllAlive('both');
    await expectAnswers(near, far);
  });
});
