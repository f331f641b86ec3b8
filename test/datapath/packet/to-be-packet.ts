// expect(result.packet).toBePacket(expected): byte for byte, with the differing fields on failure. Import for its effect.
import { expect } from 'vitest';
import { packetDifference, packetText } from './difference.ts';
import type { Packet } from './packet.ts';
import { octetsOf } from './write-packet.ts';

declare module 'vitest' {
  interface Matchers<R extends void | Promise<void> = void | Promise<void>, T = unknown> {
    /** The octets are those of this packet: every field, length and checksum. */
    toBePacket(expected: Packet | Uint8Array): R;
  }
}

expect.extend({
  toBePacket(actual: Packet | Uint8Array, expected: Packet | Uint8Array) {
    const lines = packetDifference(expected, actual);
    return {
      pass: lines.length === 0,
      message: () =>
        lines.length > 0
          ? `the packet differs:\n  ${lines.join('\n  ')}`
          : `expected another packet than ${packetText(actual instanceof Uint8Array ? actual : octetsOf(actual))}`,
    };
  },
});
