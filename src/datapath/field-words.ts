// Fields of rows in mapped tables, read in place while programs write them. For loops over whole tables: codecs copy and make objects.
import { LAYOUT } from './layout.gen.ts';

/** Offset in octets of a field of a table's value, 'flow_states', 'claim'. */
export function fieldOffset(table: string, field: string): number {
  const start = `${table}.value.${field} `;
  const line = LAYOUT.find((one) => one.startsWith(start));
  if (line === undefined) throw new Error(`${table} has no field ${field}`);
  return Number(line.slice(start.length).split(' ')[0]);
}

/** The same in words of 32 bits. */
export const fieldWord = (table: string, field: string): number => fieldOffset(table, field) / 4;

export const wordsOf = (bytes: Uint8Array): Uint32Array => new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);

/** A 32-bit field as it is in memory now: not one that was read before. */
export const wordAt = (words: Uint32Array, at: number): number => Atomics.load(words, at);

/** A 64-bit counter as a number, exact to 2^53, and whole though it is read in halves. */
export function counterAt(words: Uint32Array, at: number): number {
  let high = Atomics.load(words, at + 1);
  for (;;) {
    const low = Atomics.load(words, at);
    const again = Atomics.load(words, at + 1);
    if (again === high) return high * 2 ** 32 + low;
    high = again;
  }
}
