// sessionAffinity ClientIP: who stays with which endpoint, and for how long.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Endpoint } from '../../src/state/model.ts';
import { ageAffinity } from './age-affinity.ts';
import { CASES, CLUSTER_CIDRS, endpoint, type FrontendOf, frontendsOf, segment, servicePort, TARGET_PORT } from './cluster.ts';
import { Datapath } from './datapath.ts';
import { readPacket } from './packet/read-packet.ts';

const TIMEOUT_SECONDS = 20; // less than any machine has been up: its clock is turned back
const ENDPOINTS = 8;
const TRIES = 60; // all of them to one of eight endpoints by chance: never

let datapath: Datapath;
let small: Datapath;
let nextPort = 1024;
beforeAll(async () => {
  datapath = await Datapath.load({ flags: { 'cluster-cidr': CLUSTER_CIDRS, 'ebpf-flow-table-size': '16384' } });
  small = await Datapath.load({ flags: { 'ebpf-affinity-table-size': '4' } });
});
beforeEach(() => {
  datapath.forgetFlows();
  small.forgetFlows();
});
afterAll(() => {
  datapath.close();
  small.close();
});

describe.each(CASES)('over $title', ({ addresses, transport }) => {
  const local = Array.from({ length: ENDPOINTS }, (_, i) => endpoint(`${addresses.pod}${i}`, TARGET_PORT, true));
  const remote = Array.from({ length: ENDPOINTS }, (_, i) => endpoint(`${addresses.endpoint}${i}`));
  const all = [...local, ...remote];
  const web = (over = {}) =>
    servicePort(addresses, transport, {
      ...{ clusterEndpoints: all, localEndpoints: local, sessionAffinitySeconds: TIMEOUT_SECONDS, ...over },
    });
  const [clusterIP, ...external] = frontendsOf(addresses) as [FrontendOf, ...FrontendOf[]];

  /** The endpoint of a new connection. */
  const connect = (to = clusterIP, source = addresses.client, through = datapath): string => {
    nextPort = nextPort === 60_000 ? 1024 : nextPort + 1;
    const sent = segment(transport, { source, destination: to.address, destinationPort: to.port, sourcePort: nextPort });
    return readPacket(through.ingress(sent).packet).ip.destination;
  };
  const connectOften = (to = clusterIP, source = addresses.client): string[] => [
    ...new Set(Array.from({ length: TRIES }, () => connect(to, source))),
  ];
  const clients = (count: number): string[] =>
    Array.from({ length: count }, (_, i) => addresses.client.replace(/7$/, String(10 + i)));
  const without = (gone: string): Endpoint[] => all.filter(({ ip }) => ip !== gone);

  test('a client stays with one endpoint, and clients are spread over all of them', () => {
    datapath.program(web());
    expect(connectOften()).toHaveLength(1);
    const chosen = new Set(clients(40).map((client) => connect(clusterIP, client)));
    expect(chosen.size).toBeGreaterThan(ENDPOINTS / 2);
    for (const client of clients(40)) expect(connectOften(clusterIP, client)).toHaveLength(1);
  });

  test('the choice holds for every frontend of the port, and not for another port', () => {
    datapath.program(
      web(),
      web({ name: 'other', clusterIP: addresses.stranger, nodePort: 30081, externalIPs: [], loadBalancerVIPs: [] }),
    );
    const chosen = connect();
    for (const frontend of external) expect(connectOften(frontend)).toEqual([chosen]);
    const toOther = { ...clusterIP, address: addresses.stranger };
    const pairs = clients(40).map((client) => [connect(clusterIP, client), connect(toOther, client)]);
    expect(pairs.some(([here, there]) => here !== there)).toBe(true);
  });

  test('a client that asks two Services in turn stays with one endpoint of each', () => {
    datapath.program(
      web(),
      web({ name: 'other', clusterIP: addresses.stranger, nodePort: 30081, externalIPs: [], loadBalancerVIPs: [] }),
    );
    const toOther = { ...clusterIP, address: addresses.stranger };
    const pairs = Array.from({ length: 20 }, () => `${connect()} ${connect(toOther)}`);
    expect(new Set(pairs).size).toBe(1);
  });

  test('an endpoint that leaves is replaced by one, also when it comes back; others that come and go change nothing', () => {
    datapath.program(web());
    const first = connect();
    datapath.program(web({ clusterEndpoints: [...all.filter(({ ip }) => ip === first), endpoint(addresses.otherEndpoint)] }));
    expect(connectOften()).toEqual([first]);
    datapath.program(web({ clusterEndpoints: without(first) }));
    const [second, ...others] = connectOften();
    expect([second === first, others]).toEqual([false, []]);
    datapath.program(web());
    expect(connectOften()).toEqual([second]);
  });

  test('the timeout runs from the last new connection, not from the first', () => {
    datapath.program(web());
    const chosen = connect();
    for (let i = 0; i < 5; i++) {
      ageAffinity(datapath, TIMEOUT_SECONDS - 5);
      expect(connect()).toBe(chosen);
    }
    const after = Array.from({ length: 12 }, () => {
      ageAffinity(datapath, TIMEOUT_SECONDS + 1);
      return connect();
    });
    expect(new Set(after).size).toBeGreaterThan(1);
  });

  test('packets of a connection that is open do not extend it', () => {
    datapath.program(web());
    const sent = (flags: string) =>
      segment(transport, {
        source: addresses.client,
        destination: clusterIP.address,
        destinationPort: 80,
        sourcePort: 999,
        flags,
      });
    const chosen = readPacket(datapath.ingress(sent('S')).packet).ip.destination;
    ageAffinity(datapath, TIMEOUT_SECONDS + 1);
    expect(readPacket(datapath.ingress(sent('A')).packet).ip.destination).toBe(chosen);
    const after = Array.from({ length: 20 }, (_, i) => {
      if (i > 0) ageAffinity(datapath, TIMEOUT_SECONDS + 1);
      return connect();
    });
    expect(new Set(after).size).toBeGreaterThan(1);
  });

  test('an endpoint that the traffic policy of this frontend does not allow is not used', () => {
    datapath.program(web({ externalTrafficPolicy: 'Local' }));
    const remoteClient = clients(64).find((client) => remote.some(({ ip }) => ip === connect(clusterIP, client)));
    const [chosen, ...others] = connectOften(external[0], remoteClient);
    expect([local.some(({ ip }) => ip === chosen), others]).toEqual([true, []]);
  });

  test('one that lingers is not chosen again', () => {
    datapath.program(web());
    const first = connect();
    datapath.program(web({ clusterEndpoints: without(first), lingeringEndpoints: all.filter(({ ip }) => ip === first) }));
    const [second, ...others] = connectOften();
    expect([second === first, others]).toEqual([false, []]);
  });

  test('the choice outlives a restart of the controller', () => {
    datapath.program(web());
    const chosen = connect();
    datapath.restart();
    datapath.program(web());
    expect(connectOften()).toEqual([chosen]);
  });

  test('it ends when affinity is switched off, and none is kept of a Service that has none', () => {
    datapath.program(web({ sessionAffinitySeconds: 0 }));
    expect(connectOften().length).toBeGreaterThan(1);
    expect(datapath.map('affinity').keys()).toEqual([]);
  });

  test('a full table forgets old clients, and serves new ones', () => {
    small.program(web());
    for (const client of clients(50)) {
      const chosen = connect(clusterIP, client, small);
      expect(connect(clusterIP, client, small)).toBe(chosen);
    }
    expect(small.map('affinity').keys().length).toBeLessThan(50);
  });
});
