// UDP sockets of the host that connect() translated once: they hear when their backend leaves, and nobody else does.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Outcome } from '../../lab/agent-protocol.ts';
import { Cluster, type Pod } from '../../lab/cluster.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { serve, serviceWithSlices, TARGET_PORT } from '../../lab/service.ts';
import { until } from '../../lab/turnout.ts';
import { CLUSTER_IPS, endpointOf, FAMILIES, type Family, ipOf, NODE_PORT, refusal } from './traffic.ts';

const COUNT = 24; // of which at least one goes to each of two endpoints, but for a chance of 2^-23
const LOOPBACK = { IPv4: '127.0.0.1', IPv6: '::1' } as const;
const SETTLED_MS = 5000;
const ENDED = 'ECONNABORTED';
const MAPPED = '::ffff:10.96.0.10';

const CASES = FAMILIES.flatMap((family) => [
  { family, what: 'a ClusterIP', to: CLUSTER_IPS[family] as string, port: 80 },
  { family, what: 'a node port on loopback', to: LOOPBACK[family] as string, port: NODE_PORT },
]);

describe('UDP sockets of the host', () => {
  let cluster: Cluster;
  let host: Namespace;
  let leaver: Pod;
  let stayer: Pod;

  beforeAll(async () => {
    cluster = new Cluster();
    const [first, second] = [cluster.node(1), cluster.node(2)];
    host = first.namespace;
    [leaver, stayer] = [first.addPod('leaver'), second.addPod('stayer')];
    await Promise.all([serve(leaver), serve(stayer)]);
    await cluster.start();
    await endpoints(leaver, stayer);
  });
  afterAll(() => cluster?.close());
  afterEach(() => endpoints(leaver, stayer));

  const endpoints = (...pods: Pod[]): Promise<void> =>
    cluster.apply('web', serviceWithSlices({ name: 'web', clusterIPs: Object.values(CLUSTER_IPS), pods, nodePort: NODE_PORT }));

  /** Who answered, or the error: sorted, since sockets are held in the order in which they were answered. */
  const reached = (outcomes: readonly Outcome[]): string[] => outcomes.map((one) => (one.ok ? one.endpoint : one.error)).sort();

  /** Opens connected sockets and keeps them; who answered each. */
  const hold = async (name: string, to: string, port: number, more: object = {}): Promise<string[]> =>
    reached(await host.agent.hold(name, { protocol: 'UDP', to, port, count: COUNT, udp: 'connected', ...more }));

  /** Resolves when sending over the held sockets comes to this; the controller is another process. */
  const becomes = async (name: string, wanted: readonly string[]): Promise<void> => {
    let seen: string[] = [];
    const isDone = async (): Promise<boolean> => {
      seen = reached(await host.agent.send(name));
      return seen.join() === [...wanted].sort().join();
    };
    await until(name, isDone, SETTLED_MS).catch(() => expect(seen, name).toEqual([...wanted].sort()));
  };

  test.each(CASES)(
    'that are connected to $what over $family are ended when their backend leaves, and reconnect to another',
    async ({ family, what, to, port }) => {
      const [gone, left] = [endpointOf(leaver, family), endpointOf(stayer, family)];
      const before = await hold(`${what} ${family}`, to, port);
      expect(new Set(before)).toEqual(new Set([gone, left]));
      await endpoints(stayer);
      await becomes(
        `${what} ${family}`,
        before.map((endpoint) => (endpoint === gone ? ENDED : left)),
      );
      expect(new Set(await hold(`${what} ${family}, again`, to, port))).toEqual(new Set([left]));
    },
  );

  test('of IPv6 that talk IPv4 are ended, too', async () => {
    const before = await hold('mapped', MAPPED, 80);
    await endpoints(stayer);
    await becomes(
      'mapped',
      before.map((endpoint) => (endpoint === endpointOf(leaver, 'IPv4') ? ENDED : endpoint)),
    );
    expect(before).toContain(endpointOf(leaver, 'IPv4'));
  });

  test('are ended when the last backend leaves, refused while there is none, and answered when one comes', async () => {
    await hold('last', CLUSTER_IPS.IPv4, 80);
    await endpoints();
    await becomes('last', Array<string>(COUNT).fill(ENDED));
    expect(await refusal(host, CLUSTER_IPS.IPv4, 80, 'UDP')).toEqual(['ECONNREFUSED']);
    await endpoints(leaver);
    expect(new Set(await hold('first', CLUSTER_IPS.IPv4, 80))).toEqual(new Set([endpointOf(leaver, 'IPv4')]));
  });

  test.each(FAMILIES)(
    'that asked for the pod itself stay over %s, whatever they were connected to before; so does TCP',
    async (family) => {
      const [to, clusterIP] = [ipOf(leaver, family), CLUSTER_IPS[family]];
      const own = Array<string>(COUNT).fill(endpointOf(leaver, family));
      expect(await hold(`direct ${family}`, to, TARGET_PORT)).toEqual(own);
      // To the Service while the pod is its only endpoint, so that the address is the very same.
      await endpoints(leaver);
      expect(await hold(`direct after ${family}`, to, TARGET_PORT, { firstTo: { to: clusterIP, port: 80 } })).toEqual(own);
      await hold(`tcp ${family}`, clusterIP, 80, { protocol: 'TCP' });
      await hold(`service ${family}`, clusterIP, 80);
      await endpoints(stayer);
      await becomes(`service ${family}`, Array<string>(COUNT).fill(ENDED));
      expect(reached(await host.agent.send(`direct ${family}`))).toEqual(own);
      expect(reached(await host.agent.send(`direct after ${family}`))).toEqual(own);
      expect(await host.agent.check(`tcp ${family}`)).toEqual({ held: COUNT, alive: COUNT, errors: [] });
    },
  );

  test('that went from the pod to its Service are ended', async () => {
    await endpoints(leaver);
    await hold('to service', CLUSTER_IPS.IPv4, 80, { firstTo: { to: leaver.ipv4, port: TARGET_PORT } });
    await endpoints(stayer);
    await becomes('to service', Array<string>(COUNT).fill(ENDED));
  });

  test('whose backend left while turnout was down are ended at its start', async () => {
    const { turnout } = cluster.node(1);
    const before = await hold('meanwhile', CLUSTER_IPS.IPv4, 80);
    await turnout.stop('SIGKILL');
    turnout.write(
      'web',
      serviceWithSlices({ name: 'web', clusterIPs: Object.values(CLUSTER_IPS), pods: [stayer], nodePort: NODE_PORT }),
    );
    await turnout.start();
    await becomes(
      'meanwhile',
      before.map((endpoint) => (endpoint === endpointOf(leaver, 'IPv4') ? ENDED : endpoint)),
    );
  });

  test.each(FAMILIES)(
    'that are not connected go to another backend with the next datagram over %s, and hear from the ClusterIP',
    async (family: Family) => {
      const name = `unconnected ${family}`;
      const to = CLUSTER_IPS[family];
      const before = await hold(name, to, 80, { udp: 'unconnected' });
      expect(before).toContain(endpointOf(leaver, family));
      await endpoints(stayer);
      await becomes(name, Array<string>(COUNT).fill(endpointOf(stayer, family)));
      const named = new Set((await host.agent.send(name)).map((one) => (one.ok ? one.named : one.error)));
      expect([...named]).toEqual([family === 'IPv4' ? `${to}:80` : `[${to}]:80`]);
    },
  );
});
