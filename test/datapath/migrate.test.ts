// A start with tables of another size: flows go on as they are, also those that change while they are copied.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { migrateFrom } from '../../src/backend/ebpf/migrate.ts';
import { makePinFolder, type PinFolder, pinFolder, pinNames, removeUnfinished } from '../../src/backend/ebpf/pins.ts';
import { FlowFlag } from '../../src/datapath/layout.gen.ts';
import { createLogger } from '../../src/log.ts';
import { bpffsForTest } from '../native/mounted-bpffs.ts';
import { CLIENT_PORT, PORT, portsOf, segment, servicePort, TARGET_PORT, V4 } from './cluster.ts';
import { Datapath, type Settings } from './datapath.ts';
import { expire } from './expire.ts';
import { readPacket } from './packet/read-packet.ts';

const FLOW_TABLES = ['flow_states', 'flows'];
const SHORT: Settings = { flags: { 'ebpf-flow-table-size': '2048' } };
const logger = createLogger({ format: 'text', verbosity: 0 } as never);

let old: Datapath;
let next: Datapath;
let folders: { from: PinFolder; to: PinFolder };

async function load(settings: Settings = SHORT): Promise<void> {
  old = await Datapath.load(settings);
  next = await Datapath.load();
  for (const datapath of [old, next]) datapath.program(servicePort(V4, 'TCP'));
  const bpffs = bpffsForTest();
  mkdirSync(join(bpffs, 'turnout'));
  folders = { from: pinFolder(bpffs, 'old'), to: pinFolder(bpffs, 'new') };
  makePinFolder(folders.from);
  makePinFolder(folders.to);
  for (const name of FLOW_TABLES) old.map(name).pin(join(folders.from.maps, name));
}

const migrate = () => migrateFrom(folders.from, folders.to, next.object, logger);

const ask = (flags: string, destination = V4.clusterIP, sourcePort = CLIENT_PORT) =>
  segment('TCP', { source: V4.client, destination, sourcePort, destinationPort: PORT, flags });
const answer = (flags: string, destinationPort = CLIENT_PORT) =>
  segment('TCP', { source: V4.endpoint, destination: V4.client, sourcePort: TARGET_PORT, destinationPort, flags });

describe('a flow that changes while it is copied', () => {
  beforeEach(() => load());
  afterEach(() => {
    for (const datapath of [old, next]) datapath.close();
  });

  test('is as the old programs saw it last', () => {
    old.ingress(ask('S'));
    const migration = migrate();
    old.egress(answer('SA'));
    old.ingress(ask('A'));
    migration.finish();
    expect(next.flows().map(({ flags }) => flags)).toEqual([FlowFlag.LB_FLOW_REPLIED | FlowFlag.LB_FLOW_ESTABLISHED]);
  });

  test('keeps the source port that it is given meanwhile', () => {
    const arrived = old.ingress(ask('S', V4.externalIP));
    const migration = migrate();
    const given = portsOf(readPacket(old.egress(arrived.packet, arrived.mark).packet));
    migration.finish();
    const again = next.ingress(ask('A', V4.externalIP));
    expect(portsOf(readPacket(next.egress(again.packet, again.mark).packet))).toEqual(given);
    expect(next.flows()).toMatchObject([{ sourcePort: given.sourcePort }]);
    expect(expire(next)).toEqual({ inUse: 1, expired: 0 });
  });

  test('is one flow, also when an earlier start ended half way', () => {
    old.ingress(ask('S'));
    migrate();
    old.egress(answer('SA'));
    old.ingress(ask('A'));
    migrate().finish();
    expect(next.flows()).toHaveLength(1);
    expect(next.flows()[0]?.flags).toBe(FlowFlag.LB_FLOW_REPLIED | FlowFlag.LB_FLOW_ESTABLISHED);
    expect(readPacket(next.egress(answer('A')).packet).ip.source).toBe(V4.clusterIP);
  });
});

test('tables of a start that hooked nothing are gone before they are filled again, those in use stay', async () => {
  await load();
  const { from, to } = folders;
  next.map('flows').pin(join(to.maps, 'flows'));
  removeUnfinished(to, [from]);
  expect(pinNames(to.maps)).toEqual(['flows']); // the only ones there are
  old.map('events').pin(join(from.links, 'stands for a link'));
  removeUnfinished(from, [to]);
  removeUnfinished(to, [from]);
  expect([pinNames(from.maps).sort(), pinNames(to.maps)]).toEqual([['flow_states', 'flows'], []]);
  for (const datapath of [old, next]) datapath.close();
});

test('a smaller table has room for every living flow, however many ended before', async () => {
  const LIVING = 300;
  await load({ ...SHORT, variables: { tcpSynNs: 1n } });
  for (let port = 1024; port < 2624; port++) old.ingress(ask('S', V4.clusterIP, port));
  await new Promise((resolve) => setTimeout(resolve, 20)); // the coarse clock has moved
  expect(expire(old).inUse).toBe(0);
  for (let port = 3000; port < 3000 + LIVING; port++) old.ingress(ask('S', V4.clusterIP, port));
  expect(old.flows()).toHaveLength(LIVING);
  migrate().finish();
  expect(next.flows()).toHaveLength(LIVING);
  for (const datapath of [old, next]) datapath.close();
});
