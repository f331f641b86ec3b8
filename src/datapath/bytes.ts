// The few reads and writes that generated codecs are made of. Host order is little-endian: the programs run on this machine.
import { endianness } from 'node:os';

if (endianness() !== 'LE')
  throw new Error('turnout runs on little-endian machines only: its codecs write host order as little-endian');

const text = new TextDecoder();
const utf8 = new TextEncoder();

export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Four octets in host order: an id or an ifindex as a key, a number as a value. */
export function u32Bytes(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, value, true);
  return bytes;
}

/** Eight octets in host order: a socket's cookie, a cgroup's id. */
export function u64Bytes(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  viewOf(bytes).setBigUint64(0, value, true);
  return bytes;
}

/** A copy of `length` octets. */
export const readOctets = (bytes: Uint8Array, at: number, length: number): Uint8Array => bytes.slice(at, at + length);

/** A NUL-terminated string of at most `length` octets. */
export function readText(bytes: Uint8Array, at: number, length: number): string {
  const field = bytes.subarray(at, at + length);
  const end = field.indexOf(0);
  return text.decode(end < 0 ? field : field.subarray(0, end));
}

/** Cut to length - 1 octets, the rest zero. */
export function writeText(bytes: Uint8Array, at: number, length: number, value: string): void {
  const field = bytes.subarray(at, at + length);
  field.fill(0);
  utf8.encodeInto(value, field.subarray(0, length - 1));
}
