import { execFileSync } from 'node:child_process';
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { NetlinkAddress, NetlinkDevice, NetlinkEvent, NetlinkRoute } from '../../src/native/addon.ts';
import { Netlink } from '../../src/native/netlink.ts';
import { inNetns, pairOfNetns, runChild } from './child.ts';

test('devices, addresses and routes are listed as iproute2 lists them', async () => {
  const { near } = pairOfNetns();
  const ours = (await runChild('netlink-list', [], inNetns(near))) as {
    devices: NetlinkDevice[];
    addresses: NetlinkAddress[];
    routes: NetlinkRoute[];
  };
  const ip = (...words: string[]) =>
    JSON.parse(execFileSync('ip', ['-n', near, '-j', ...words], { encoding: 'utf8' })) as Record<string, unknown>[];
  expect(ours.devices.map((d) => [d.ifindex, d.name, d.mtu, d.mac])).toEqual(
    ip('link').map((d) => [d['ifindex'], d['ifname'], d['mtu'], d['address']]),
  );
  const theirs = ip('addr').flatMap((d) =>
    (d['addr_info'] as Record<string, unknown>[]).map((a) => `${d['ifindex']} ${a['local']}/${a['prefixlen']}`),
  );
  expect(theirs.length).toBeGreaterThanOrEqual(4);
  expect(ours.addresses.map((a) => `${a.ifindex} ${a.address}/${a.prefixLength}`).toSorted()).toEqual(theirs.toSorted());
  expect(ours.routes.filter((r) => r.table === 254 && r.family === 4)).toMatchObject([
    { destination: '192.0.2.0/24', preferredSource: '192.0.2.1', scope: 253 },
  ]);
  for (const [family, option] of [
    [4, '-4'],
    [6, '-6'],
  ] as const) {
    expect(ours.routes.filter((r) => r.family === family)).toHaveLength(ip(option, 'route', 'show', 'table', 'all').length);
  }
});

test('every change is told, of both families, and a port that leaves its bridge is not told as gone', async () => {
  const { near } = pairOfNetns();
  expect(await runChild('netlink-follow', [], inNetns(near))).toEqual({
    newDevice: 'bridge',
    enslaved: 'bridge',
    released: 'new',
    toldGoneWhenReleased: false,
    address4: { ifindex: expect.any(Number), family: 4, address: '198.51.100.7', prefixLength: 25, scope: 0, flags: 0x80 },
    address6: 64,
    route4: {
      family: 4,
      destination: '203.0.113.0/24',
      gateway: '192.0.2.2',
      preferredSource: '192.0.2.1',
      ifindex: expect.any(Number),
      table: 100,
      type: 1,
      protocol: 3,
      scope: 0,
      metric: 50,
    },
    route6: '2001:db8::2',
    listed: [true, 2],
    addressGone: '198.51.100.7',
    device: {
      name: 'v0',
      kind: 'veth',
      slaveKind: '',
      type: 1,
      ifindex: expect.any(Number),
      mac: expect.stringMatching(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/),
      mtu: 1500,
      flags: expect.any(Number),
      masterIfindex: 0,
      linkIfindex: expect.any(Number),
    },
    deviceGone: 'v0',
    heardAfterClose: 0,
  });
});

test('events that were lost are told as an overrun, and later ones arrive', async () => {
  const { near } = pairOfNetns();
  expect(await runChild('netlink-overrun', [], inNetns(near))).toEqual([true, 500]);
});

test('two followers are independent, and closing one twice is fine', async () => {
  const heard: NetlinkEvent[][] = [[], []];
  const followers = heard.map((events) => Netlink.follow((event) => events.push(event)));
  followers[0]?.close();
  followers[0]?.close();
  await setImmediate();
  expect(heard[0]).toEqual([]);
  followers[1]?.close();
});
