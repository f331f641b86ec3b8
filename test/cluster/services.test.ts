// Services and pods of a real API server come, change and go, with connections running.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Pod } from '../../lab/cluster.ts';
import { KubeCluster } from '../../lab/kube-cluster.ts';
import { podReference, runPod, setReady } from '../../lab/kube-objects.ts';
import { endpointOf, KINDS, reach, refusal } from '../netns/traffic.ts';

const HELD = 100;

describe('Services of an API server', () => {
  let kube: KubeCluster;
  let caller: Pod;
  let clusterIPs: { IPv4: string; IPv6: string };
  const pods: Pod[] = [];

  const pod = (index: number): Pod => {
    const one = pods[index];
    if (!one) throw new Error(`there is no pod ${index}`);
    return one;
  };
  const web = () => kube.client.get({ kind: 'Service', metadata: { namespace: 'default', name: 'web' } });

  beforeAll(async () => {
    kube = new KubeCluster();
    await kube.start();
    caller = kube.nodes[0].addPod('caller');
    for (const name of ['web0', 'web1', 'web2']) pods.push(await kube.echo(name, name === 'web0' ? 0 : 1));
    const [IPv4, IPv6] = await kube.expose({ name: 'web', spec: { type: 'NodePort' } }, pod(0), pod(1));
    clusterIPs = { IPv4, IPv6 };
  });
  afterAll(() => kube?.close());

  /** Who answers new connections of a pod. */
  async function answering(port = 80): Promise<string[]> {
    return [...(await reach(caller.namespace, clusterIPs.IPv4, port, 'TCP')).keys()].sort();
  }
  const hold = async (name: string): Promise<void> => {
    const request = { protocol: 'TCP', port: 80, count: HELD / 2 } as const;
    for (const to of Object.values(clusterIPs)) {
      const outcomes = await caller.namespace.agent.hold(name, { ...request, to });
      expect(outcomes.filter(({ ok }) => !ok)).toEqual([]);
    }
  };
  const expectAllAlive = async (name: string): Promise<void> =>
    expect(await caller.namespace.agent.check(name)).toEqual({ held: HELD, alive: HELD, errors: [] });

  test.each(KINDS)(
    '$protocol of $family reaches every pod: from a pod, from a node, from outside',
    async ({ family, protocol }) => {
      const wanted = [pod(0), pod(1)].map((one) => endpointOf(one, family)).sort();
      const { ports } = (await web())['spec'] as { ports: { protocol: string; nodePort: number }[] };
      const nodePort = ports.find((port) => port.protocol === protocol)?.nodePort ?? 0;
      const [node1, node2] = kube.nodes;
      for (const [from, to, port] of [
        [caller.namespace, clusterIPs[family], 80],
        [node2.namespace, clusterIPs[family], 80],
        [kube.cluster.client, family === 'IPv4' ? node1.ipv4 : node1.ipv6, nodePort],
      ] as const) {
        expect([...(await reach(from, to, port, protocol)).keys()].sort(), `from ${from.name}`).toEqual(wanted);
      }
    },
  );

  test('a pod reaches the API server by the cluster IP of its Service', () => {
    const script = `fetch('https://10.96.0.1/livez').then((answer) => answer.text()).then(console.log)`;
    const trust = `NODE_EXTRA_CA_CERTS=${kube.server.authority}`;
    expect(caller.namespace.run('env', trust, process.execPath, '-e', script).trim()).toBe('ok');
  });

  test('a pod that comes gets new connections, and those that run stay where they are', async () => {
    await hold('coming');
    await runPod(kube.client, pod(2), 'web');
    await kube.inForce(await web(), ...pods);
    await expectAllAlive('coming');
    expect(await answering()).toEqual(pods.map((one) => endpointOf(one, 'IPv4')).sort());
  });

  test('a pod that is not ready gets no new connections and keeps those it has', async () => {
    await setReady(kube.client, pod(1), false);
    await kube.inForce(await web(), pod(0), pod(2));
    await expectAllAlive('coming');
    expect(await answering()).toEqual([pod(0), pod(2)].map((one) => endpointOf(one, 'IPv4')).sort());
  });

  test('a pod that terminates gets no new connections and keeps those it has until it ends', async () => {
    await hold('going');
    await kube.client.delete(podReference(pod(2)), 60);
    await kube.inForce(await web(), pod(0));
    await expectAllAlive('going');
    expect(await answering()).toEqual([endpointOf(pod(0), 'IPv4')]);
  });

  test('when every pod terminates, those that still serve are better than none', async () => {
    await kube.client.delete(podReference(pod(0)), 60);
    await kube.inForce(await web(), pod(0), pod(2));
    expect(await answering()).toEqual([pod(0), pod(2)].map((one) => endpointOf(one, 'IPv4')).sort());
  });

  test('a Service without pods refuses at once, and serves again when one is ready', async () => {
    for (const one of [pod(0), pod(2)]) await kube.client.delete(podReference(one));
    await kube.inForce(await web());
    expect(await refusal(caller.namespace, clusterIPs.IPv4, 80, 'TCP')).toEqual(['ECONNREFUSED']);
    await setReady(kube.client, pod(1), true);
    await kube.inForce(await web(), pod(1));
    expect(await answering()).toEqual([endpointOf(pod(1), 'IPv4')]);
  });

  test('a Service that moves to another port leaves its connections alone', async () => {
    await hold('moving');
    await kube.client.patch(await web(), { spec: { ports: [{ name: 'tcp', port: 81, targetPort: 8080 }] } });
    await kube.programmed('web is at port 81 only', (rows) => {
      const own = rows.filter(({ name, address }) => name === 'web' && address === clusterIPs.IPv4);
      return own.length === 1 && own[0]?.port === 81 && own[0].endpoints.length === 1;
    });
    await expectAllAlive('moving');
    expect(await answering(81)).toEqual([endpointOf(pod(1), 'IPv4')]);
  });

  test('a Service that is deleted is gone from every node, and its connections go on', async () => {
    await kube.client.delete(await web());
    await kube.programmed('web is gone', (rows) => !rows.some(({ name }) => name === 'web'));
    await expectAllAlive('moving');
    expect(await refusal(caller.namespace, clusterIPs.IPv4, 81, 'TCP')).not.toContainEqual(expect.stringContaining('answered'));
  });
});
