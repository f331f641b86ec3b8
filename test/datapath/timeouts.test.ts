// How long a flow may be silent depends on what it has seen: one timeout at a time is set to nothing, the others to a day.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CLIENT_PORT, FAMILIES, PORT, segment, servicePort, TARGET_PORT, type Transport } from './cluster.ts';
import { Datapath } from './datapath.ts';
import { expire } from './expire.ts';

const DAY_NS = 86_400_000_000_000n;
const TIMEOUTS = ['tcpSynNs', 'tcpEstablishedNs', 'tcpCloseWaitNs', 'tcpClosedNs', 'udpUnrepliedNs', 'udpStreamNs'] as const;
type Timeout = (typeof TIMEOUTS)[number];

/** '>S': the client sends a SYN; '<SA': the endpoint answers. The timeout that counts from then on. */
const LIVES: readonly [Transport, string, Timeout][] = [
  ['TCP', '>S', 'tcpSynNs'],
  ['TCP', '>S >S', 'tcpSynNs'],
  ['TCP', '>S <SA', 'tcpSynNs'],
  ['TCP', '>S >A', 'tcpSynNs'],
  ['TCP', '>S <SA >A', 'tcpEstablishedNs'],
  ['TCP', '>S <SA >A >PA <A', 'tcpEstablishedNs'],
  ['TCP', '>S <SA >A >FA', 'tcpCloseWaitNs'],
  ['TCP', '>S <SA >A <FA', 'tcpCloseWaitNs'],
  ['TCP', '>S <SA >A >FA <A <PA', 'tcpCloseWaitNs'],
  ['TCP', '>S <SA >A >FA <FA', 'tcpClosedNs'],
  ['TCP', '>S <SA >A <FA >FA <A', 'tcpClosedNs'],
  ['TCP', '>S <SA >A >R', 'tcpClosedNs'],
  ['TCP', '>S <RA', 'tcpClosedNs'],
  ['TCP', '>S <SA >A <R >PA', 'tcpEstablishedNs'], // the RST was ignored: it lay outside the window
  ['UDP', '>', 'udpUnrepliedNs'],
  ['UDP', '> > >', 'udpUnrepliedNs'],
  ['UDP', '> <', 'udpStreamNs'],
  ['UDP', '> < >', 'udpStreamNs'],
];

const datapaths = new Map<Timeout, Datapath>();
beforeAll(async () => {
  for (const timeout of TIMEOUTS) {
    const variables = Object.fromEntries(TIMEOUTS.map((name) => [name, name === timeout ? 0n : DAY_NS]));
    datapaths.set(timeout, await Datapath.load({ variables }));
  }
});
beforeEach(() => {
  for (const datapath of datapaths.values()) datapath.forgetFlows();
});
afterAll(() => {
  for (const datapath of datapaths.values()) datapath.close();
});

describe.each(FAMILIES)('a flow over $title', ({ addresses }) => {
  test.each(LIVES)('of %s that has seen "%s" ends by %s and by nothing else', (transport, life, expected) => {
    const { client, clusterIP, endpoint } = addresses;
    const endedBy = TIMEOUTS.filter((timeout) => {
      const datapath = datapaths.get(timeout)!;
      datapath.program(servicePort(addresses, transport));
      for (const step of life.split(' ')) {
        const flags = step.slice(1);
        const asks = { source: client, destination: clusterIP, sourcePort: CLIENT_PORT, destinationPort: PORT };
        const answers = { source: endpoint, destination: client, sourcePort: TARGET_PORT, destinationPort: CLIENT_PORT };
        if (step.startsWith('>')) datapath.ingress(segment(transport, { ...asks, flags }));
        else datapath.egress(segment(transport, { ...answers, flags }));
      }
      expect(datapath.flows().length).toBe(1);
      const { inUse, expired } = expire(datapath);
      expect(inUse + expired).toBe(1);
      return expired === 1;
    });
    expect(endedBy).toEqual([expected]);
  });
});
