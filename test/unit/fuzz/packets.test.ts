// The packets of the fuzz follow from the seed and their number; what the model reads of them is what was written.
import { describe, expect, test } from 'vitest';
import { addressOf } from '../../fuzz/model/address.ts';
import { L2, PROTOCOL, readHeaders } from '../../fuzz/model/headers.ts';
import { Dice } from '../../fuzz/packets/dice.ts';
import { PacketMaker } from '../../fuzz/packets/packet-maker.ts';
import { plainShape, type Shape, writeEthernet, writePacket } from '../../fuzz/packets/write.ts';

const MAC = new Uint8Array(6);

function packets(seed: number, count: number): string[] {
  const maker = new PacketMaker(seed);
  return Array.from({ length: count }, (_, number) => {
    const { hook, frame, mark } = maker.make(number, [], MAC);
    return `${hook} ${mark} ${Buffer.from(frame).toString('hex')}`;
  });
}

describe('packets', () => {
  test('are the same for the same seed, however many there are', () => {
    expect(packets(7, 200)).toEqual(packets(7, 500).slice(0, 200));
  });

  test('are others for another seed', () => {
    const first = new Set(packets(7, 200));
    expect(packets(8, 200).filter((packet) => first.has(packet))).toEqual([]);
  });
});

describe.each([
  ['IPv4', true, '198.51.100.7', '10.96.0.10'],
  ['IPv6', false, '2001:db8::7', 'fd00:96::10'],
] as const)('the reader of %s', (_, isV4, source, destination) => {
  const ends = { isV4, source: addressOf(source), destination: addressOf(destination), sourcePort: 40000, destinationPort: 80 };
  const written = (protocol: number, over: Partial<Shape> = {}): Uint8Array => {
    const octets = new Uint8Array(512);
    const end = writePacket(octets, L2, { ...ends, protocol }, { ...plainShape(), ...over }, new Dice(1, 1));
    writeEthernet(octets, MAC, isV4 ? 0x0800 : 0x86dd);
    return octets.subarray(0, end);
  };

  test.each([
    ['TCP', PROTOCOL.tcp, { flags: 2 }],
    ['UDP', PROTOCOL.udp, { optionWords: 3, extensions: [PROTOCOL.destinationOptions, PROTOCOL.routing] }],
    ['SCTP', PROTOCOL.sctp, { chunk: 1 }],
  ] as const)('finds ends and layer 4 of %s', (_, protocol, over) => {
    expect(readHeaders(written(protocol, over))).toMatchObject({ ...ends, protocol, piece: 'whole' });
  });

  test.each([
    ['first', 0x2000, 40000],
    ['later', 0x2001, 0],
    ['later', 185, 0],
  ] as const)('tells a %s fragment', (piece, fragment, sourcePort) => {
    const frame = written(PROTOCOL.udp, { fragment, id: 9, payload: 16 });
    expect(readHeaders(frame)).toMatchObject({ piece, fragmentId: 9, sourcePort });
  });

  test('reads nothing of a packet that is cut before its layer 4 header ends', () => {
    const frame = written(PROTOCOL.tcp);
    for (let length = L2; length < frame.length; length++) expect(readHeaders(frame.subarray(0, length))).toBeNull();
  });
});
