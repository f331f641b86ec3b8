// Fragments that come before their datagram's first one are put aside, and come in again behind it.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  type Fragment,
  HeldState,
  LB_FRAGMENT_SIZE,
  LB_HELD_FRAGMENT_SIZE,
  readFragment,
  readHeldFragment,
  writeFragment,
} from '../../src/datapath/layout.gen.ts';
import { u32 } from '../native/u32.ts';
import { FAMILIES, frontendsOf, servicePort } from './cluster.ts';
import { Datapath } from './datapath.ts';
import { firstFragment, laterFragment, toService } from './fragment-packets.ts';
import { changed, OTHER_MAC } from './packet/packet.ts';
import './packet/to-be-packet.ts';
import { octetsOf } from './packet/write-packet.ts';

const ROWS = 512; // of held_fragments
const LONGEST = 1984; // octets from the IP header on
const AT_ONCE = 100;
const HELD_PER_SECOND = 20_000;

interface Outcome {
  readonly title: string;
  readonly verdicts: string[];
  readonly counted: Record<string, number>;
  readonly inQueue: string[];
  readonly again: string[];
  readonly countedAgain: Record<string, number>;
}

let datapath: Datapath;
let outcomes: Outcome[];
beforeAll(async () => {
  const child = join(import.meta.dirname, 'children/held-fragments.ts');
  outcomes = JSON.parse(execFileSync('unshare', ['--net', process.execPath, child], { encoding: 'utf8' })) as Outcome[];
  datapath = await Datapath.load();
});
beforeEach(() => {
  datapath.forgetFlows();
  emptyRing();
});
afterAll(() => datapath.close());

/** Octets of the IP packets in held_fragments. */
function held(): Uint8Array[] {
  const map = datapath.map('held_fragments');
  return Array.from({ length: ROWS }, (_, row) => readHeldFragment(map.get(u32(row))!)).flatMap(({ state, octets, length }) =>
    state === HeldState.LB_HELD_READY ? [octets.slice(0, length)] : [],
  );
}

function emptyRing(): void {
  const map = datapath.map('held_fragments');
  for (const key of map.keys()) map.set(key, new Uint8Array(LB_HELD_FRAGMENT_SIZE));
}

/** As if the datagram's row had been written two seconds ago and more. */
function age(change: Partial<Fragment> = {}): void {
  const map = datapath.map('fragments');
  for (const key of map.keys()) {
    const row = readFragment(map.get(key)!);
    const bytes = new Uint8Array(LB_FRAGMENT_SIZE);
    writeFragment(bytes, 0, { ...row, lastSeenNs: row.lastSeenNs - 3_000_000_000n, ...change });
    map.set(key, bytes);
  }
}

describe.each(FAMILIES)('over $title', ({ addresses, title }) => {
  const asked = toService(addresses);
  const first = firstFragment(asked, 7);
  const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');
  const middle = laterFragment(asked, 7, { offset: 1448, octets: 1440, more: true });
  const last = laterFragment(asked, 7, { offset: 2888 });

  test('the first fragment brings those that came before it: all of them come in again, unchanged, the first in front', () => {
    const { verdicts, counted, inQueue } = outcomes.find((one) => one.title === title)!;
    expect(verdicts).toEqual(['drop', 'drop', 'drop']);
    expect(inQueue).toEqual([first, middle, last].map((packet) => hex(octetsOf(packet))));
    expect(counted).toEqual({ fragment_held: 2, fragment_released: 2 });
  });

  test('they are translated then, and none goes round a second time', () => {
    const { again, countedAgain } = outcomes.find((one) => one.title === title)!;
    const target = { destination: addresses.endpoint };
    const [one, ...rest] = again.map((frame) => Uint8Array.from(Buffer.from(frame, 'hex')));
    expect(one!.slice(14 + (title === 'IPv4' ? 16 : 24))).not.toEqual(octetsOf(first).slice(14 + (title === 'IPv4' ? 16 : 24)));
    expect(rest).toEqual([middle, last].map((packet) => octetsOf(changed(packet, target))));
    expect(countedAgain).toEqual({ flow_new: 1 });
  });

  test.each(frontendsOf(addresses))('one to the $kind is put aside as it is, and dropped', ({ address }) => {
    datapath.program(servicePort(addresses, 'UDP'));
    const packet = laterFragment({ ...asked, destination: address }, 8);
    const counted = datapath.counted(() => expect(datapath.ingress(packet).verdict).toBe('drop'));
    expect(counted).toEqual({ fragment_held: 1 });
    expect(held()).toEqual([octetsOf(packet).slice(14)]);
  });

  test('one that goes to no Service, to another station, or out of here, is none of our business', () => {
    datapath.program(servicePort(addresses, 'UDP'));
    const elsewhere = laterFragment({ ...asked, destination: addresses.stranger }, 8);
    const toOther = changed(laterFragment(asked, 8), { destinationMac: OTHER_MAC });
    for (const packet of [elsewhere, toOther])
      expect(datapath.ingress(packet)).toMatchObject({ verdict: 'next', packet: octetsOf(packet) });
    expect(datapath.egress(laterFragment(asked, 8))).toMatchObject({ verdict: 'next' });
    expect(held()).toEqual([]);
  });

  test('an address whose Services are gone is none of ours any more', () => {
    datapath.program(servicePort(addresses, 'UDP'));
    datapath.program();
    for (const { address, kind } of frontendsOf(addresses)) {
      if (kind === 'node port') continue;
      const packet = laterFragment({ ...asked, destination: address }, 8);
      expect(datapath.ingress(packet)).toMatchObject({ verdict: 'next', packet: octetsOf(packet) });
    }
  });

  test('one that is longer than a row is dropped by that name on the way to a Service, and passes to the node', () => {
    datapath.program(servicePort(addresses, 'UDP'));
    const headers = title === 'IPv4' ? 20 : 48;
    const longest = laterFragment(asked, 8, { octets: LONGEST - headers });
    expect(datapath.counted(() => datapath.ingress(longest))).toEqual({ fragment_held: 1 });
    expect(held()).toEqual([octetsOf(longest).slice(14)]);
    const tooLong = laterFragment(asked, 8, { octets: LONGEST - headers + 1 });
    const counted = datapath.counted(() => expect(datapath.ingress(tooLong).verdict).toBe('drop'));
    expect(counted).toEqual({ drop_fragment: 1 });
    const toNode = laterFragment({ ...asked, destination: addresses.node }, 8, { octets: LONGEST - headers + 1 });
    expect(datapath.ingress(toNode)).toEqual({ verdict: 'next', packet: octetsOf(toNode), mark: 0 });
  });

  test("what an old datagram's first fragment said does not hold for a new one with the same id", () => {
    datapath.program(servicePort(addresses, 'UDP'));
    datapath.ingress(first);
    expect(datapath.ingress(middle).packet).toBePacket(changed(middle, { destination: addresses.endpoint }));
    age();
    expect(datapath.counted(() => datapath.ingress(middle))).toEqual({ fragment_held: 1 });
  });

  test('one of a protocol without ports passes unchanged, also to the node', () => {
    datapath.program(servicePort(addresses, 'UDP'));
    for (const destination of [addresses.clusterIP, addresses.node]) {
      const packet = laterFragment({ ...asked, destination }, 8, { protocol: 50 });
      expect(datapath.ingress(packet)).toEqual({ verdict: 'next', packet: octetsOf(packet), mark: 0 });
    }
  });
});

// The last, since it uses up what this second allows.
test('a flood of them is put aside no faster than the limit, and what made room is counted as dropped', () => {
  const { addresses } = FAMILIES[0]!;
  datapath.program(servicePort(addresses, 'UDP'));
  const sent = HELD_PER_SECOND + 5000;
  const data = octetsOf(laterFragment(toService(addresses), 8));
  const counted = datapath.counted(() => {
    for (let i = 0; i < sent / AT_ONCE; i++) sendAgain(data);
  });
  const { fragment_held: put = 0, drop_fragment: dropped = 0 } = counted;
  // Those of the tests before may lie in the same second.
  expect(put).toBeGreaterThan(HELD_PER_SECOND - 1000);
  expect(put).toBeLessThanOrEqual(HELD_PER_SECOND);
  expect(dropped).toBeGreaterThanOrEqual(sent - ROWS);
  expect(held().length).toBe(ROWS);
});

/** One packet AT_ONCE times; a run that a signal ends early is made again. */
function sendAgain(data: Uint8Array): void {
  for (let tries = 0; ; tries++) {
    try {
      datapath.object.program('tc_ingress').testRun({ data, repeat: AT_ONCE, outputSize: 2048 });
      return;
    } catch (error) {
      if ((error as { code?: string }).code !== 'EINTR' || tries === 10) throw error;
    }
  }
}
