import { endianness } from 'node:os';

/** 32-bit numbers in the machine's byte order, one after the other. */
export function u32(...numbers: number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(numbers).buffer);
}

/** The 32-bit number at an offset, in the machine's byte order. */
export function readU32(bytes: Uint8Array, offset = 0): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(offset, endianness() === 'LE');
}
