// A range of source ports that is partly taken at one endpoint: how many new flows still find a port.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { addressOctets } from '../../src/datapath/address.ts';
import {
  Direction,
  LB_FLOW_KEY_SIZE,
  LB_REWRITE_SIZE,
  RewriteFlag,
  readFlowKey,
  readRewrite,
  writeFlowKey,
  writeRewrite,
} from '../../src/datapath/layout.gen.ts';
import { CLIENT_PORT, PORT, portsOf, segment, servicePort, TARGET_PORT, V4, V6 } from './cluster.ts';
import { Datapath } from './datapath.ts';
import { numbers } from './numbers.ts';
import { readPacket } from './packet/read-packet.ts';

const RANGE = { min: 10240, max: 29999 }; // the default
const PORTS = RANGE.max - RANGE.min + 1;
const FLOWS = 200;
const TCP = 6;

let datapath: Datapath;
let small: Datapath;
beforeAll(async () => {
  const flags = { 'ebpf-flow-table-size': '16384' };
  datapath = await Datapath.load({ flags });
  small = await Datapath.load({ variables: { snatPortMin: RANGE.min, snatPortMax: RANGE.min + 99 } });
});
beforeEach(() => {
  datapath.forgetFlows();
  small.forgetFlows();
});
afterAll(() => {
  datapath.close();
  small.close();
});

const PATTERNS: Readonly<Record<string, (taken: number) => number[]>> = {
  'here and there': (taken) => {
    const next = numbers(95);
    const ports = Array.from({ length: PORTS }, (_, i) => i);
    for (let i = PORTS - 1; i > 0; i--) {
      const j = next(i + 1);
      [ports[i], ports[j]] = [ports[j]!, ports[i]!];
    }
    return ports.slice(0, taken);
  },
  'in one run': (taken) => Array.from({ length: taken }, (_, i) => i),
  'in runs of a hundred': (taken) =>
    Array.from({ length: taken }, (_, i) => Math.floor(Math.floor(i / 100) * 100 * (PORTS / taken)) + (i % 100)),
};

/** Each fills a table of 20,000 rows anew for each of its tests, so not everything is done twice. */
const FILLS = [
  ...Object.entries(PATTERNS).map(([title, ports]) => ({ title: `over IPv4 with ports taken ${title}`, addresses: V4, ports })),
  { title: 'over IPv6 with ports taken here and there', addresses: V6, ports: PATTERNS['here and there']! },
];

describe.each(FILLS)('$title', ({ addresses, ports }) => {
  /** Takes these ports of the range at the endpoint, by entries of one flow that lives. */
  const take = (ports: readonly number[]): void => {
    forwarded(CLIENT_PORT, addresses.stranger);
    const flows = datapath.map('flows');
    const key = flows.keys().find((octets) => readFlowKey(octets).direction === Direction.LB_OUT)!;
    const { flowId, claim } = readRewrite(flows.get(key)!);
    const rewrite = new Uint8Array(LB_REWRITE_SIZE);
    const flags = RewriteFlag.LB_REWRITE_REPLY;
    writeRewrite(rewrite, 0, {
      ...{ address: addressOctets(addresses.stranger), sourcePort: TARGET_PORT, destinationPort: 1, flowId, claim, flags },
    });
    for (const port of ports) {
      const octets = new Uint8Array(LB_FLOW_KEY_SIZE);
      writeFlowKey(octets, 0, {
        ...{ source: addressOctets(addresses.endpoint), sourcePort: TARGET_PORT },
        ...{ destination: addressOctets(addresses.node), destinationPort: RANGE.min + port },
        ...{ protocol: TCP, direction: Direction.LB_IN },
      });
      flows.set(octets, rewrite);
    }
  };
  const forwarded = (sourcePort: number, source = addresses.client, through = datapath) => {
    const ends = { source, destination: addresses.externalIP, sourcePort, destinationPort: PORT };
    const arrived = through.ingress(segment('TCP', ends));
    return through.egress(arrived.packet, arrived.mark);
  };

  test.each([
    [10, 1],
    [50, 1],
    [75, 1],
    [95, 0.98],
  ])('at %d percent of the range, a share of %d of new flows and more gets a port of its own', (percent, share) => {
    datapath.program(servicePort(addresses, 'TCP'));
    const taken = ports(Math.round((PORTS * percent) / 100));
    take(taken);
    const busy = new Set(taken.map((port) => RANGE.min + port));
    let allocated = 0;
    for (let i = 0; i < FLOWS; i++) {
      const { verdict, packet } = forwarded(30_000 + i);
      if (verdict !== 'next') continue;
      const { sourcePort } = portsOf(readPacket(packet));
      expect(busy.has(sourcePort)).toBe(false);
      busy.add(sourcePort);
      allocated++;
    }
    expect(allocated / FLOWS).toBeGreaterThanOrEqual(share);
  });
});

test('of a range of a hundred ports each is found', () => {
  small.program(servicePort(V4, 'TCP'));
  const ports = new Set<number>();
  for (let i = 0; i < 100; i++) {
    const ends = { source: V4.client, destination: V4.externalIP, sourcePort: 30_000 + i, destinationPort: PORT };
    const arrived = small.ingress(segment('TCP', ends));
    const left = small.egress(arrived.packet, arrived.mark);
    expect(left.verdict).toBe('next');
    ports.add(portsOf(readPacket(left.packet)).sourcePort);
  }
  expect(ports.size).toBe(100);
});
