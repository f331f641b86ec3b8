import { expect, test } from 'vitest';
import { portMtu } from '../../../src/backend/ebpf/host-port-devices.ts';
import type { NetlinkAddress, NetlinkDevice } from '../../../src/native/addon.ts';

const device = (ifindex: number, name: string, mtu: number, values: Partial<NetlinkDevice> = {}): NetlinkDevice => ({
  ...{ ifindex, name, mtu, kind: '', slaveKind: '', type: 1, mac: '', flags: 1, masterIfindex: 0, linkIfindex: 0 },
  ...values,
});
const address = (ifindex: number, text: string): NetlinkAddress => ({
  ...{ ifindex, address: text, family: text.includes(':') ? 6 : 4, prefixLength: 24, scope: 0, flags: 0 },
});
const lo = device(1, 'lo', 65_536, { type: 772 });

test.each([
  ['of the device that has the node address', ['192.0.2.3'], 9000],
  ['of the first with an address, when the node address is not known', [], 1450],
  ['of that one too, when the node address is on loopback', ['192.0.2.1'], 1450],
  ['not less than IPv6 needs', ['192.0.2.4'], 1280],
])('the MTU of the port is that %s', (_what, nodeIPs, expected) => {
  const devices = [lo, device(2, 'vxlan0', 1450), device(3, 'eth0', 9000), device(4, 'wan0', 576)];
  const addresses = [address(1, '192.0.2.1'), address(2, '10.244.1.0'), address(3, '192.0.2.3'), address(4, '192.0.2.4')];
  expect(portMtu(devices, addresses, nodeIPs)).toBe(expected);
});

test('the MTU of the port is 1500 on a node without addresses', () => {
  expect(portMtu([lo, device(2, 'eth0', 9000)], [], [])).toBe(1500);
});
