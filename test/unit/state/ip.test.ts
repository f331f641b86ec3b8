import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalIp, cidrContains, formatIp, ipFamilyOf, parseCidr, parseIp } from '../../../src/state/ip.ts';

/** Whether the block holds the address; both as text. */
function contains(block: string, address: string): boolean {
  const cidr = parseCidr(block);
  const octets = parseIp(address);
  if (!cidr || !octets) throw new Error(`unreadable: ${block} or ${address}`);
  return cidrContains(cidr, octets);
}

describe('addresses', () => {
  test.each([
    ['10.0.0.1', '10.0.0.1'],
    ['010.000.001.008', '10.0.1.8'],
    ['0000000192.0.2.010', '192.0.2.10'],
    ['255.255.255.255', '255.255.255.255'],
    ['FD00:0:0:0:0:0:0:1', 'fd00::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['::', '::'],
    ['::1', '::1'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['1:2:3:4:5:6:1.2.3.4', '1:2:3:4:5:6:102:304'],
  ])('%s is read as %s', (text, canonical) => {
    expect(canonicalIp(text)).toBe(canonical);
  });

  test.each([
    '',
    ' ',
    '10.0.0',
    '10.0.0.0.1',
    '10.0.0.256',
    '10.0.0.-1',
    '0x0a.0.0.1',
    '10.0..1',
    '10.0.0.1 ',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '::12345',
    'g::1',
    'fe80::1%eth0',
    '1.2.3.4::',
    '::1.2.3',
    '[::1]',
    'localhost',
  ])('"%s" is no address', (text) => {
    expect(parseIp(text)).toBeNull();
  });

  test.each(['::ffff:192.0.2.1', '::FFFF:c000:201', '0:0:0:0:0:ffff:0:0'])('the v4-mapped %s is refused', (text) => {
    expect(parseIp(text)).toBeNull();
  });

  test('an IPv4 address is held as sixteen octets in its mapped form', () => {
    expect([...(parseIp('192.0.2.1') ?? [])]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 1]);
  });

  test('every address survives being written and read', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const octets = parseIp(text);
        fc.pre(octets !== null); // a mapped one
        if (!octets) return;
        const written = formatIp(octets);
        expect(parseIp(written)).toEqual(octets);
        expect(canonicalIp(written)).toBe(written);
        expect(ipFamilyOf(written)).toBe(text.includes(':') ? 'IPv6' : 'IPv4');
      }),
    );
  });

  test('no text makes the reader throw', () => {
    const piece = fc.constantFrom(':', '::', '.', '1', 'ffff', '0', '256', '/', 'g', '192.0.2.1');
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(piece).map((pieces) => pieces.join('')),
        ),
        (text) => {
          expect([16, undefined]).toContain(parseIp(text)?.length);
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('CIDR blocks', () => {
  test.each([
    ['10.244.0.0/16', '10.244.0.0/16'],
    ['010.244.1.1/16', '10.244.0.0/16'],
    [' 192.0.2.255/25\t', '192.0.2.128/25'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['1.2.3.4/32', '1.2.3.4/32'],
    ['FD00::1/64', 'fd00::/64'],
    ['::/0', '::/0'],
    ['2001:db8::ff/121', '2001:db8::80/121'],
  ])('"%s" is the block %s', (text, canonical) => {
    expect(parseCidr(text)?.text).toBe(canonical);
  });

  test.each(['', '10.0.0.0', '10.0.0.0/', '10.0.0.0/33', '::/129', '10.0.0.0/8/8', '10/8', '10.0.0.0/-1', '::ffff:10.0.0.0/104'])(
    '"%s" is no block',
    (text) => {
      expect(parseCidr(text)).toBeNull();
    },
  );

  test('a block holds its first and its last address, and neither neighbour', () => {
    expect(['10.0.1.255', '10.0.2.0', '10.0.3.255', '10.0.4.0'].map((ip) => contains('10.0.2.0/23', ip))).toEqual([
      false,
      true,
      true,
      false,
    ]);
    expect(['fd00::7f', 'fd00::80', 'fd00::ff', 'fd00::100'].map((ip) => contains('fd00::80/121', ip))).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });

  test('all of IPv4 holds no IPv6 address', () => {
    expect(contains('0.0.0.0/0', '203.0.113.9')).toBe(true);
    expect(contains('0.0.0.0/0', '2001:db8::1')).toBe(false);
  });
});
