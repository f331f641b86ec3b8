import { describe, expect, test } from 'vitest';
import { allocateAliases, isAlias } from '../../../src/backend/ebpf/host-aliases.ts';
import type { NetlinkAddress } from '../../../src/native/addon.ts';

function address(text: string, values: Partial<NetlinkAddress> = {}): NetlinkAddress {
  const family = text.includes(':') ? 6 : 4;
  return { ifindex: 2, family, address: text, prefixLength: 24, scope: 0, flags: 0, ...values };
}

const given = (addresses: readonly string[], known: Record<string, string> = {}) =>
  allocateAliases(
    addresses.map((text) => address(text)),
    new Map(Object.entries(known)),
  );

describe('an alias', () => {
  test('ends as its address does, so that captures can be read', () => {
    expect(Object.fromEntries(given(['192.0.2.17', '2001:db8::a:17']).aliases)).toEqual({
      '192.0.2.17': '169.254.116.17',
      '2001:db8::a:17': 'fd74:7572:6e6f:7574::a:17',
    });
  });

  test('is another when that one is taken', () => {
    const { aliases } = given(['192.0.2.17', '198.51.100.17', '203.0.113.255', '203.0.113.0']);
    expect([...aliases.values()]).toEqual(['169.254.116.17', '169.254.116.18', '169.254.116.253', '169.254.116.1']);
  });

  test('is kept, also by an address that would get another today', () => {
    const { aliases } = given(['192.0.2.17', '198.51.100.17'], { '198.51.100.17': '169.254.116.17' });
    expect(aliases.get('198.51.100.17')).toBe('169.254.116.17');
    expect(aliases.get('192.0.2.17')).toBe('169.254.116.18');
  });

  test('goes with its address', () => {
    expect(given([], { '192.0.2.17': '169.254.116.17' }).aliases.size).toBe(0);
  });

  test.each(['127.0.0.1', '127.1.2.3', '::1', 'fe80::1', 'fe9f::1'])('is not for %s', (text) => {
    expect(given([text]).aliases.size).toBe(0);
  });

  test('is never an address that the node has', () => {
    expect([...given(['169.254.116.5', '192.0.2.5']).aliases.values()]).toEqual(['169.254.116.6', '169.254.116.7']);
  });

  test('goes to global addresses first when there are not enough, and the others are named', () => {
    const inner = Array.from({ length: 200 }, (_, i) => address(`10.0.0.${i}`, { scope: 253 }));
    const outer = Array.from({ length: 200 }, (_, i) => address(`10.1.0.${i}`));
    const { aliases, without } = allocateAliases([...inner, ...outer], new Map());
    expect(new Set(aliases.values()).size).toBe(253);
    expect(outer.every((one) => aliases.has(one.address))).toBe(true);
    expect(without).toHaveLength(147);
  });

  test('is told from other addresses by its network', () => {
    expect(['169.254.116.9', 'fd74:7572:6e6f:7574::9', '169.254.117.9', 'fd74::9'].map(isAlias)).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});
