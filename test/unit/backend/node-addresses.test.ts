import { describe, expect, test } from 'vitest';
import { nodeAddressFlags, nodePortBlocks, servesLocalhost } from '../../../src/backend/ebpf/node-addresses.ts';
import { AddressFlag } from '../../../src/datapath/layout.gen.ts';
import type { NetlinkAddress } from '../../../src/native/addon.ts';

const NODE_IPS = ['192.0.2.7', '2001:db8::7'];
const ADDRESSES = ['127.0.0.1', '192.0.2.7', '10.8.0.1', '::1', '2001:db8::7', 'fe80::1'];

function netlinkAddress(address: string): NetlinkAddress {
  return { ifindex: 2, family: address.includes(':') ? 6 : 4, address, prefixLength: 24, scope: 0, flags: 0 };
}

const flagsFor = (nodePortAddresses: string[], nodeIPs: string[] = NODE_IPS): Map<string, number> =>
  nodeAddressFlags(ADDRESSES.map(netlinkAddress), nodePortBlocks(nodePortAddresses, nodeIPs));

/** Addresses on which node ports are served. */
const served = (...given: Parameters<typeof flagsFor>): string[] =>
  [...flagsFor(...given)].filter(([, flags]) => flags & AddressFlag.LB_ADDRESS_NODE_PORT).map(([address]) => address);

describe('addresses of the node', () => {
  test('are all known as such, whether node ports are served there or not', () => {
    expect([...flagsFor(['10.8.0.0/16']).keys()]).toEqual(ADDRESSES);
  });

  test('on two devices are one', () => {
    const twice = [netlinkAddress('192.0.2.7'), { ...netlinkAddress('192.0.2.7'), ifindex: 3 }];
    expect(nodeAddressFlags(twice, [])).toEqual(
      new Map([['192.0.2.7', AddressFlag.LB_ADDRESS_NODE | AddressFlag.LB_ADDRESS_NODE_PORT]]),
    );
  });
});

describe('node ports are served', () => {
  test('on every address but loopback, when nothing is said', () => {
    expect(served([])).toEqual(['192.0.2.7', '10.8.0.1', '2001:db8::7', 'fe80::1']);
  });

  test('on every address but loopback, with all', () => {
    expect(served(['all'])).toEqual(served([]));
  });

  test('on the addresses of the node object, with primary', () => {
    expect(served(['primary'])).toEqual(['192.0.2.7', '2001:db8::7']);
  });

  test('on all addresses of the family of which the node object has none, with primary', () => {
    expect(served(['primary'], ['192.0.2.7'])).toEqual(['192.0.2.7', '2001:db8::7', 'fe80::1']);
  });

  test('on none that packets reach, with localhost', () => {
    expect(served(['localhost'])).toEqual([]);
  });

  test('on addresses in a block, and on all of a family without one', () => {
    expect(served(['192.0.2.0/24'])).toEqual(['192.0.2.7', '2001:db8::7', 'fe80::1']);
    expect(served(['192.0.2.0/24', '2001:db8::/32'])).toEqual(['192.0.2.7', '2001:db8::7']);
  });

  test('on addresses in any of several blocks and keywords', () => {
    expect(served(['10.8.0.1/32', 'primary'])).toEqual(['192.0.2.7', '10.8.0.1', '2001:db8::7']);
  });

  test('on no address of a family whose blocks hold none', () => {
    expect(served(['203.0.113.0/24', 'fd00::/8'])).toEqual([]);
  });
});

describe('processes of the host reach node ports on loopback', () => {
  test.each([
    [[], true, true],
    [['all'], true, true],
    [['localhost'], true, true],
    [['127.0.0.0/8'], true, true],
    [['primary'], false, false],
    [['192.0.2.0/24'], false, true],
    [['fd00::/8', '127.0.0.1/32'], true, false],
    [['127.0.0.2/32'], false, true],
  ])('with %j: IPv4 %s, IPv6 %s', (nodePortAddresses, isServed4, isServed6) => {
    const blocks = nodePortBlocks(nodePortAddresses, NODE_IPS);
    expect(servesLocalhost(blocks, 'IPv4')).toBe(isServed4);
    expect(servesLocalhost(blocks, 'IPv6')).toBe(isServed6);
  });
});
