import { describe, expect, test } from 'vitest';
import { type DeviceOptions, deviceRows, isHooked, matchesPattern } from '../../../src/backend/ebpf/device-rows.ts';
import { addressOctets, addressText } from '../../../src/datapath/address.ts';
import { DeviceFlag } from '../../../src/datapath/layout.gen.ts';
import type { NetlinkAddress, NetlinkDevice } from '../../../src/native/addon.ts';

const ETHER = 1;
const LOOPBACK = 772;

function device(ifindex: number, name: string, values: Partial<NetlinkDevice> = {}): NetlinkDevice {
  const mac = `02:00:00:00:00:0${ifindex}`;
  const usual = { kind: '', slaveKind: '', type: ETHER, mac, mtu: 1500, flags: 1, masterIfindex: 0, linkIfindex: 0 };
  return { ifindex, name, ...usual, ...values };
}

function address(ifindex: number, text: string, values: Partial<NetlinkAddress> = {}): NetlinkAddress {
  const family = text.includes(':') ? 6 : 4;
  return { ifindex, family, address: text, prefixLength: 24, scope: 0, flags: 0, ...values };
}

const ALL: DeviceOptions = { include: [], exclude: [], podDevice: () => false };

describe('a hooked device', () => {
  test.each([
    ['an Ethernet device', {}, true],
    ['a veth', { kind: 'veth' }, true],
    ['a port of a bridge', { kind: 'veth', slaveKind: 'bridge' }, true],
    ['a bond', { kind: 'bond' }, true],
    ['a VXLAN device', { kind: 'vxlan' }, true],
    ['WireGuard', { kind: 'wireguard', type: 65_534, mac: '' }, true],
    ['a GRE tunnel', { kind: 'gre', type: 778, mac: '' }, true],
    ['loopback', { type: LOOPBACK }, false],
    ['a bridge', { kind: 'bridge' }, false],
    ['a member of a bond', { slaveKind: 'bond' }, false],
    ['a member of a team', { slaveKind: 'team' }, false],
    ['an ifb', { kind: 'ifb' }, false],
    ['a VRF', { kind: 'vrf' }, false],
    ['a device in a VRF', { slaveKind: 'vrf' }, false],
    ['a CAN bus', { type: 280 }, false],
  ])('%s: %o -> %s', (_what, values, isExpected) => {
    expect(isHooked(device(2, 'eth0', values), ALL)).toBe(isExpected);
  });

  test.each([
    [[], [], true],
    [['eth*'], [], true],
    [['wlan*', 'eth?'], [], true],
    [['wlan*'], [], false],
    [[], ['eth0'], false],
    [['eth*'], ['*0'], false],
  ])('eth0 with include %j and exclude %j: %s', (include, exclude, isExpected) => {
    expect(isHooked(device(2, 'eth0'), { include, exclude })).toBe(isExpected);
  });

  test.each([
    ['*', 'eth0', true],
    ['eth', 'eth0', false],
    ['eth?', 'eth10', false],
    ['br-*', 'br-12ab', true],
    ['eth0.*', 'eth0.100', true],
    ['eth0.*', 'eth01100', false],
    ['a+(b)', 'a+(b)', true],
  ])('the pattern %s against %s: %s', (pattern, name, isExpected) => {
    expect(matchesPattern(pattern, name)).toBe(isExpected);
  });
});

describe('the row of a device', () => {
  test('has its addresses, its MAC and the length of its header', () => {
    const rows = deviceRows([device(2, 'eth0')], [address(2, '192.0.2.7'), address(2, '2001:db8::7')], ALL);
    expect(rows.get(2)).toEqual({
      sourceV4: addressOctets('192.0.2.7'),
      sourceV6: addressOctets('2001:db8::7'),
      mac: Uint8Array.of(2, 0, 0, 0, 0, 2),
      l2Length: 14,
      flags: 0,
    });
  });

  test('of layer 3 has neither MAC nor header', () => {
    const rows = deviceRows([device(3, 'wg0', { kind: 'wireguard', type: 65_534, mac: '' })], [], ALL);
    expect(rows.get(3)).toMatchObject({ mac: new Uint8Array(6), l2Length: 0 });
  });

  test('is there for hooked devices only', () => {
    const rows = deviceRows([device(1, 'lo', { type: LOOPBACK }), device(2, 'eth0'), device(3, 'eth1')], [], {
      ...ALL,
      exclude: ['eth1'],
    });
    expect([...rows.keys()]).toEqual([2]);
  });

  test("says which end of the host's port it is, whatever the patterns say", () => {
    const veth = { kind: 'veth' };
    const ours = [device(3, 'turnout1', veth), device(4, 'turnout0', veth), device(5, 'turnout0', { kind: 'tun' })];
    const rows = deviceRows(ours, [], { include: ['eth*'], exclude: ['*'], podDevice: () => true });
    expect([...rows].map(([ifindex, { flags }]) => [ifindex, flags])).toEqual([
      [3, DeviceFlag.LB_DEVICE_HOST],
      [4, DeviceFlag.LB_DEVICE_HOST_END],
    ]);
  });

  test("a bridge port has its bridge's addresses and MAC", () => {
    const bridge = device(4, 'cni0', { kind: 'bridge' });
    const port = device(5, 'veth1', { kind: 'veth', slaveKind: 'bridge', masterIfindex: 4 });
    const rows = deviceRows([port, bridge], [address(4, '10.244.1.1'), address(5, '192.0.2.99')], ALL);
    expect([...rows.keys()]).toEqual([5]);
    expect(addressText(rows.get(5)!.sourceV4)).toBe('10.244.1.1');
    expect(rows.get(5)).toMatchObject({ mac: Uint8Array.of(2, 0, 0, 0, 0, 4), flags: DeviceFlag.LB_DEVICE_BRIDGE_PORT });
  });

  test('whether it leads to pods is asked with its master', () => {
    const bridge = device(4, 'cni0', { kind: 'bridge' });
    const port = device(5, 'veth1', { slaveKind: 'bridge', masterIfindex: 4 });
    const podDevice = (_: NetlinkDevice, master: NetlinkDevice | undefined): boolean => master?.name === 'cni0';
    const rows = deviceRows([device(2, 'eth0'), bridge, port], [], { ...ALL, podDevice });
    expect(rows.get(5)?.flags).toBe(DeviceFlag.LB_DEVICE_BRIDGE_PORT | DeviceFlag.LB_DEVICE_POD);
    expect(rows.get(2)?.flags).toBe(0);
  });
});

describe('the source address of a device', () => {
  const sourceOf = (addresses: NetlinkAddress[], family: 'sourceV4' | 'sourceV6' = 'sourceV4'): string =>
    addressText(deviceRows([device(2, 'eth0'), device(3, 'eth1')], addresses, ALL).get(3)![family]);

  test('is its first one', () => {
    expect(sourceOf([address(3, '192.0.2.8'), address(3, '192.0.2.7')])).toBe('192.0.2.8');
  });

  test.each([
    ['of the link only', '2001:db8::1', { scope: 253 }],
    ['temporary', '2001:db8::1', { flags: 0x01 }],
    ['deprecated', '2001:db8::1', { flags: 0x20 }],
    ['not yet proven to be free', '2001:db8::1', { flags: 0x40 }],
  ])('is none that is %s', (_what, text, values) => {
    expect(sourceOf([address(3, text, values), address(3, '2001:db8::2')], 'sourceV6')).toBe('2001:db8::2');
  });

  test('is borrowed from the first device that has one, each family by itself', () => {
    const addresses = [address(9, '203.0.113.9'), address(2, '192.0.2.2'), address(3, '2001:db8::3')];
    expect(sourceOf(addresses)).toBe('192.0.2.2');
    expect(sourceOf(addresses, 'sourceV6')).toBe('2001:db8::3');
  });

  test('is zero when the node has none of that family', () => {
    expect(sourceOf([address(3, '192.0.2.3')], 'sourceV6')).toBe('::');
  });
});
