// The arithmetic of the fuzz's model: against published numbers, and against checksums that are made anew.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checksumOf, crc32c, crcDifference, Difference, sumOf, udpChecksum } from '../../fuzz/model/checksum.ts';

const changed = (checksum: number, before: number, after: number): number => {
  const difference = new Difference();
  difference.replaceWord(Uint8Array.of(before >> 8, before & 0xff), 0, after);
  return difference.applyTo(checksum);
};

describe('a checksum that follows a change', () => {
  test('is that of the example of RFC 1624 section 4', () => expect(changed(0xdd2f, 0x5555, 0x3285)).toBe(0x0000));

  test('is the checksum of the changed octets, however many words change', () => {
    const octets = fc.uint8Array({ minLength: 20, maxLength: 20 });
    fc.assert(
      fc.property(octets, octets, (before, after) => {
        const difference = new Difference();
        difference.replace(before.slice(), 0, after);
        const made = difference.applyTo(checksumOf(sumOf(before, 0, 20)));
        // Zero has two forms in ones' complement.
        expect(made % 0xffff).toBe(checksumOf(sumOf(after, 0, 20)) % 0xffff);
      }),
    );
  });

  test('stays as wrong as it was', () => {
    fc.assert(
      fc.property(fc.nat(0xffff), fc.nat(0xffff), fc.nat(0xffff), fc.nat(0xfffe), (checksum, before, after, error) => {
        const wrong = (checksum + error) % 0xffff;
        expect(changed(wrong, before, after) % 0xffff).toBe((changed(checksum, before, after) + error) % 0xffff);
      }),
    );
  });

  test('of UDP is none where there was none, and never becomes none', () => {
    const difference = new Difference();
    difference.replaceWord(Uint8Array.of(0x55, 0x55), 0, 0x3285);
    expect(udpChecksum(difference, 0)).toBe(0);
    expect(udpChecksum(difference, 0xdd2f)).toBe(0xffff);
  });
});

test('the difference of two CRCs is that of packets which differ at their beginning only', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 16, maxLength: 80 }),
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      (packet, ports) => {
        const after = packet.slice();
        after.set(ports);
        expect(crcDifference(packet, ports, packet.length)).toBe((crc32c(packet) ^ crc32c(after)) >>> 0);
      },
    ),
  );
});

test('CRC32c of "123456789" is the published one', () => expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283));
