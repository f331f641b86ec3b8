// How long a flow may be silent depends on what it has seen: one timeout at a time is set to nothing, the others to a day.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CLIENT_PORT, FAMILIES, PORT, segment, servicePort, TARGET_PORT, type Transport } from './cluster.ts';
import { Datapath } from './datapath.ts';
import { expire } from './expire.ts';
import { SCTP_CHUNK, sctp } from './packet/packet.ts';

const DAY_NS = 86_400_000_000_000n;
const TIMEOUTS = [
  ...(['tcpSynNs', 'tcpEstablishedNs', 'tcpCloseWaitNs', 'tcpClosedNs'] as const),
  ...(['udpUnrepliedNs', 'udpStreamNs'] as const),
  ...(['sctpInitNs', 'sctpEstablishedNs', 'sctpClosedNs'] as const),
];
type Timeout = (typeof TIMEOUTS)[number];
type Chunk = keyof typeof SCTP_CHUNK;

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
  // Who sends RST has forgotten the connection: what the other side had under way is no life, nor is a FIN that was overtaken.
  ['TCP', '>S <SA >A >R <PA <FA', 'tcpClosedNs'],
  ['TCP', '>S <SA >A <R >PA >FA', 'tcpClosedNs'],
  ['TCP', '>S <SA >A >R >FA', 'tcpClosedNs'],
  ['TCP', '>S <SA >A <RA <FA', 'tcpClosedNs'],
  // Who goes on has not sent it: it was forged, or lay outside of the window.
  ['TCP', '>S <SA >A <R <PA', 'tcpEstablishedNs'],
  ['TCP', '>S <SA >A >R >PA', 'tcpEstablishedNs'],
  ['TCP', '>S <SA >A <R >PA <A', 'tcpEstablishedNs'],
  ['TCP', '>S <SA >A >FA >R >A', 'tcpCloseWaitNs'],
  ['UDP', '>', 'udpUnrepliedNs'],
  ['UDP', '> > >', 'udpUnrepliedNs'],
  ['UDP', '> <', 'udpStreamNs'],
  ['UDP', '> < >', 'udpStreamNs'],
  ['SCTP', '>INIT', 'sctpInitNs'],
  ['SCTP', '>INIT >INIT', 'sctpInitNs'],
  ['SCTP', '>INIT <INIT_ACK', 'sctpInitNs'],
  ['SCTP', '>INIT <INIT_ACK >INIT', 'sctpInitNs'], // the INIT ACK was lost
  ['SCTP', '>INIT <INIT_ACK >COOKIE_ECHO', 'sctpEstablishedNs'],
  ['SCTP', '>INIT <INIT_ACK >COOKIE_ECHO <SACK >DATA <HEARTBEAT', 'sctpEstablishedNs'],
  ['SCTP', '>INIT <INIT_ACK >COOKIE_ECHO >SHUTDOWN', 'sctpEstablishedNs'],
  ['SCTP', '>INIT <INIT_ACK >COOKIE_ECHO >SHUTDOWN <DATA >SACK <SHUTDOWN_ACK', 'sctpEstablishedNs'],
  ['SCTP', '>INIT <INIT_ACK >COOKIE_ECHO >SHUTDOWN <SHUTDOWN_ACK >SHUTDOWN_COMPLETE', 'sctpClosedNs'],
  ['SCTP', '>INIT <INIT_ACK >COOKIE_ECHO <SHUTDOWN >SHUTDOWN_ACK <SHUTDOWN_COMPLETE', 'sctpClosedNs'],
  ['SCTP', '>INIT <INIT_ACK >COOKIE_ECHO >ABORT', 'sctpClosedNs'],
  ['SCTP', '>INIT <ABORT', 'sctpClosedNs'],
  ['SCTP', '>INIT <INIT_ACK >COOKIE_ECHO <ABORT >DATA', 'sctpClosedNs'],
  ['SCTP', '>INIT <INIT_ACK >COOKIE_ECHO <ABORT >DATA <SACK', 'sctpEstablishedNs'], // the ABORT was ignored: its tag was wrong
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
        const packetOf = (ends: typeof asks) =>
          transport === 'SCTP' ? sctp({ ...ends, chunk: SCTP_CHUNK[flags as Chunk] }) : segment(transport, { ...ends, flags });
        if (step.startsWith('>')) datapath.ingress(packetOf(asks));
        else datapath.egress(packetOf(answers));
      }
      expect(datapath.flows().length).toBe(1);
      const { inUse, expired } = expire(datapath);
      expect(inUse + expired).toBe(1);
      return expired === 1;
    });
    expect(endedBy).toEqual([expected]);
  });
});
