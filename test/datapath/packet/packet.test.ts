// The builder against other people's knowledge: published headers, and octets whose checksums tcpdump found correct.
import { describe, expect, test } from 'vitest';
import { crc32c } from './crc32c.ts';
import { packetDifference } from './difference.ts';
import { changed, icmp, type Packet, raw, SCTP_CHUNK, sctp, tcp, text, udp } from './packet.ts';
import { readIp, readPacket } from './read-packet.ts';
import './to-be-packet.ts';
import { ipOctets, octetsOf } from './write-packet.ts';

const v4 = { source: '192.168.0.1', destination: '192.168.0.199' };
const v6 = { source: '2001:db8::1', destination: '2001:db8::c7' };
const ports = { sourcePort: 40000, destinationPort: 80 };
const quoted = ipOctets(udp({ ...v4, ...ports })).subarray(0, 28);

const packets: [string, Packet][] = [
  ['an IPv4 SYN with options', tcp({ ...v4, ...ports, options: Uint8Array.of(2, 4, 5, 0xb4) })],
  ['an IPv6 SYN', tcp({ ...v6, ...ports })],
  ['TCP data of odd length', tcp({ ...v4, ...ports, flags: 'PA', acknowledgement: 7, payload: text('odd') })],
  ['a UDP datagram', udp({ ...v4, ...ports })],
  ['an IPv6 UDP datagram', udp({ ...v6, ...ports })],
  ['a UDP datagram without checksum', udp({ ...v4, ...ports, checksum: 0 })],
  ['an SCTP INIT', sctp({ ...v4, ...ports })],
  ['an IPv6 SCTP INIT', sctp({ ...v6, ...ports })],
  ['SCTP data', sctp({ ...v4, ...ports, chunk: SCTP_CHUNK.DATA, chunkFlags: 3, tag: 0xcafef00d, payload: text('hello, world') })],
  ['two SCTP chunks', sctp({ ...v6, ...ports, chunk: SCTP_CHUNK.SACK, chunkLength: 16, payload: text('hello, world!') })],
  ['an SCTP packet without checksum', sctp({ ...v4, ...ports, checksum: 0 })],
  ['a packet with IPv4 options', udp({ ...v4, ...ports, ip: { options: Uint8Array.of(148, 4, 0, 0) } })],
  [
    'a packet with IPv6 extension headers',
    tcp({
      ...v6,
      ...ports,
      ip: {
        extensions: [
          { kind: 'hopByHop', data: Uint8Array.of(5, 2, 0, 0, 1, 0) },
          { kind: 'destinationOptions', data: Uint8Array.of(1, 4, 0, 0, 0, 0) },
        ],
      },
    }),
  ],
  [
    'a first IPv4 fragment',
    udp({ ...v4, ...ports, checksum: 0x1234, length: 2008, payload: new Uint8Array(1472), ip: { id: 99, moreFragments: true } }),
  ],
  ['a later IPv4 fragment', raw({ ...v4, protocol: 17, payload: new Uint8Array(32), ip: { id: 99, fragmentOffset: 1480 } })],
  [
    'a later IPv6 fragment',
    raw({
      ...v6,
      protocol: 17,
      payload: new Uint8Array(32),
      ip: { extensions: [{ kind: 'fragment', id: 77, offset: 1448, moreFragments: false }] },
    }),
  ],
  ['an ICMP echo request', icmp({ ...v4, type: 8, code: 0, rest: 0x00010002, payload: text('ping') })],
  ['an ICMPv6 echo request', icmp({ ...v6, type: 128, code: 0, rest: 0x00010002, payload: text('ping') })],
  ['an ICMP error', icmp({ ...v4, type: 3, code: 3, payload: quoted })],
];

/** Octets of which tcpdump -vv said "correct" or "sum ok". */
const verified: [string, string][] = [
  ['an IPv4 SYN with options', '4500002c123400004006e67fc0a80001c0a800c79c400050000003e8000000006002faf07aa40000020405b4'],
  ['TCP data of odd length', '4500002b123400004006e680c0a80001c0a800c79c400050000003e8000000075018faf0bedb00006f6464'],
  [
    'an IPv6 UDP datagram',
    '60000000000d1140 20010db8000000000000000000000001 20010db80000000000000000000000c7 9c400050000dc337 68656c6c6f',
  ],
  [
    'a packet with IPv6 extension headers',
    '6000000000240040 20010db8000000000000000000000001 20010db80000000000000000000000c7 3c00050200000100 0600010400000000' +
      '9c400050000003e8000000005002faf0b83f0000',
  ],
  [
    'an ICMPv6 echo request',
    '60000000000c3a40 20010db8000000000000000000000001 20010db80000000000000000000000c7 800044ab00010002 70696e67',
  ],
  ['a packet with IPv4 options', '46000025123400004011 5177c0a80001c0a800c7 94040000 9c400050000d9d58 68656c6c6f'],
];

describe('the packet builder', () => {
  test('computes the IPv4 header checksum of the textbook example', () => {
    const header = ipOctets(
      raw({ ...v4, protocol: 17, payload: new Uint8Array(95), ip: { id: 0, dontFragment: true } }),
    ).subarray(0, 20);
    expect(Buffer.from(header).toString('hex')).toBe('45000073000040004011b861c0a80001c0a800c7');
  });

  test.each(packets)('reads %s back to the same value', (_, packet) => {
    expect(readPacket(octetsOf(packet))).toEqual(packet);
  });

  test.each(verified)('writes %s as octets that tcpdump finds correct', (name, expected) => {
    const packet = packets.find(([title]) => title === name)![1];
    expect(Buffer.from(ipOctets(packet)).toString('hex')).toBe(expected.replaceAll(' ', ''));
  });

  // RFC 3720 appendix B.4, and the check value of the catalogue of CRCs.
  test.each([
    ['32 octets of zero', new Uint8Array(32), 0x8a9136aa],
    ['32 octets of ones', new Uint8Array(32).fill(0xff), 0x62a8ab43],
    ['0, 1, ... 31', Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
    ['"123456789"', text('123456789'), 0xe3069283],
  ])('computes the published CRC32c of %s', (_, octets, expected) => expect(crc32c(octets)).toBe(expected));

  test('keeps a wrong checksum as a number', () => {
    const packet = tcp({ ...v4, ...ports, checksum: 0xdead });
    expect(readPacket(octetsOf(packet)).l4).toMatchObject({ checksum: 0xdead });
  });

  test('reads a header that is cut as raw octets', () => {
    const { l4 } = readIp(ipOctets(tcp({ ...v4, ...ports })).subarray(0, 28));
    expect(l4).toMatchObject({ kind: 'raw', protocol: 6 });
  });
});

describe('the difference of two packets', () => {
  const packet = tcp({ ...v4, ...ports });

  test('names the field and both values', () => {
    expect(packetDifference(changed(packet, { destinationPort: 8080 }), packet)).toEqual([
      'tcp.destinationPort: expected 8080, got 80',
    ]);
  });

  test('names a checksum that is wrong', () => {
    const broken = octetsOf(packet);
    broken[50] = (broken[50] ?? 0) ^ 0xff;
    expect(packetDifference(packet, broken)).toEqual([
      expect.stringMatching(/^tcp\.checksum: expected the right one, got 0x[0-9a-f]{4}$/),
    ]);
  });

  test('looks into the packet that an ICMP error is about', () => {
    const about = (sourcePort: number) =>
      icmp({ ...v4, type: 3, code: 3, payload: ipOctets(udp({ ...v4, sourcePort, destinationPort: 53, checksum: 0 })) });
    expect(packetDifference(about(1), about(2))).toEqual(['icmp.inner.udp.sourcePort: expected 1, got 2']);
  });

  test('names a CRC that is wrong', () => {
    const right = sctp({ ...v4, ...ports });
    expect(packetDifference(right, changed({ ...right, l4: { ...right.l4, checksum: 1 } } as Packet, {}))).toEqual([
      'sctp.checksum: expected the right one, got 0x0001',
    ]);
  });

  test('is empty for the same octets only', () => {
    expect(packet).toBePacket(packet);
    expect(packet).not.toBePacket(changed(packet, { source: '192.168.0.2' }));
    expect(packetDifference(packet, octetsOf(packet).subarray(0, 20))).not.toEqual([]);
  });
});
