import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressOctets, addressText, zeroAddress } from '../../../src/datapath/address.ts';
import { readOctets, readText, viewOf, writeText } from '../../../src/datapath/bytes.ts';
import {
  type Frontend,
  LB_BACKEND_SIZE,
  LB_FRONTEND_KEY_SIZE,
  LB_FRONTEND_SIZE,
  readBackend,
  readFrontend,
  writeBackend,
  writeFrontend,
  writeFrontendKey,
} from '../../../src/datapath/layout.gen.ts';

describe('octets', () => {
  test('are read as a copy', () => {
    const bytes = Uint8Array.of(1, 2, 3, 4);
    const read = readOctets(bytes, 1, 2);
    bytes.fill(0);
    expect([...read]).toEqual([2, 3]);
  });

  test('of a part of a buffer are viewed where that part is', () => {
    const part = Uint8Array.of(9, 9, 1, 2, 9).subarray(2, 4);
    expect(viewOf(part).getUint16(0, false)).toBe(0x0102);
    expect(viewOf(part).byteLength).toBe(2);
  });
});

describe('text', () => {
  const written = (value: string, length = 8): number[] => {
    const bytes = new Uint8Array(length + 2).fill(0xff);
    writeText(bytes, 1, length, value);
    expect([bytes[0], bytes[length + 1]]).toEqual([0xff, 0xff]);
    return [...bytes.subarray(1, length + 1)];
  };

  test('fills its field with zeros behind it, and nothing around it', () => {
    expect(written('web')).toEqual([119, 101, 98, 0, 0, 0, 0, 0]);
    expect(written('')).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  });

  test('that is too long is cut, so that a NUL stays', () => {
    expect(written('12345678').at(-1)).toBe(0);
    expect(readText(Uint8Array.from(written('12345678')), 0, 8)).toBe('1234567');
  });

  test('is never cut inside a character', () => {
    expect(readText(Uint8Array.from(written('123456é')), 0, 8)).toBe('123456');
  });

  test('without a NUL ends with its field', () => {
    expect(readText(new TextEncoder().encode('abcdef'), 1, 3)).toBe('bcd');
  });

  test('that fits survives being written and read', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme-ascii', maxLength: 63 }), (value) => {
        const bytes = new Uint8Array(64);
        writeText(bytes, 0, 64, value);
        expect(readText(bytes, 0, 64)).toBe(value);
      }),
    );
  });
});

describe('addresses', () => {
  test.each([
    ['10.96.0.1', [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 96, 0, 1]],
    ['2001:db8::1', [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]],
  ])('%s has sixteen octets, IPv4 inside IPv6', (address, octets) => {
    expect([...addressOctets(address)]).toEqual(octets);
    expect(addressText(Uint8Array.from(octets))).toBe(address);
  });

  test.each(['0.0.0.0', '255.255.255.255', '::', '::1', 'fe80::1', 'fd00:0:0:1::'])('%s survives both ways', (address) => {
    expect(addressText(addressOctets(address))).toBe(address);
  });

  test('zero is another address in each family', () => {
    expect(addressText(zeroAddress('IPv4'))).toBe('0.0.0.0');
    expect(addressText(zeroAddress('IPv6'))).toBe('::');
  });

  test.each(['', 'localhost', '10.0.0', '10.0.0.256', '10.0.0.1/32', '1::2::3'])('"%s" is none', (text) => {
    expect(() => addressOctets(text)).toThrow(`not an IP address: ${text}`);
  });
});

describe('rows', () => {
  test('hold ports in network order, as packets do, and numbers in host order', () => {
    const key = new Uint8Array(LB_FRONTEND_KEY_SIZE);
    writeFrontendKey(key, 0, { address: zeroAddress('IPv4'), port: 0x1234, protocol: 6 });
    expect([...key.subarray(16)]).toEqual([0x12, 0x34, 6, 0]);
    const backends = new Uint8Array(2 * LB_BACKEND_SIZE);
    const backend = {
      address: addressOctets('10.0.0.1'),
      port: 80,
      flags: 1,
      serviceId: 0x01020304,
      backendId: 5,
      generation: 6,
    };
    writeBackend(backends, LB_BACKEND_SIZE, backend);
    expect([...backends.subarray(LB_BACKEND_SIZE + 20, LB_BACKEND_SIZE + 24)]).toEqual([4, 3, 2, 1]);
    expect(readBackend(backends, LB_BACKEND_SIZE)).toEqual(backend);
    expect(backends.subarray(0, LB_BACKEND_SIZE).every((octet) => octet === 0)).toBe(true);
  });

  test('survive being written and read, with inner structs', () => {
    const u32 = fc.integer({ min: 0, max: 0xffffffff });
    const list = fc.record({ base: u32, count: u32 });
    const row: fc.Arbitrary<Frontend> = fc.record({
      cluster: list,
      local: list,
      lingering: list,
      serviceId: u32,
      flags: u32,
      affinitySeconds: u32,
      generation: u32,
    });
    fc.assert(
      fc.property(row, (frontend) => {
        const bytes = new Uint8Array(LB_FRONTEND_SIZE + 4);
        writeFrontend(bytes, 4, frontend);
        expect(readFrontend(bytes, 4)).toEqual(frontend);
      }),
    );
  });
});
