// A table that the controller alone writes, as what compares it needs to see it.
import type { BpfMap } from '../../native/bpf-map.ts';
import { keyBytes, keyText } from './service-tables.ts';

export interface ExpectedRow {
  readonly key: string; // octets as text
  readonly value: Uint8Array;
}

export interface VerifiedTable {
  readonly name: string;
  /**
   * Every row that should be there. Read in parts, with syncs in between: what changes meanwhile is seen as it is when its turn comes,
   * or left out, but never as it was.
   */
  rows(): Iterable<ExpectedRow>;
  /** What should be there now; null: no such row; undefined: nobody knows yet, so it is left alone. */
  expected(key: string): Uint8Array | null | undefined;
  /** What the kernel has. */
  read(key: string): Uint8Array | null;
  /** About `limit` keys that the kernel has, from `position` on (null: the start). Absent where every row is always there. */
  keys?(position: Uint8Array | null, limit: number): { keys: string[]; next: Uint8Array | null };
  write(key: string, value: Uint8Array): void;
  remove(key: string): void;
  isSame(expected: Uint8Array, found: Uint8Array): boolean;
  /** For people: which row. */
  describe(key: string): string;
  /** For people: what is in it. */
  show(value: Uint8Array): string;
}

/** How a table of keys and rows is told; what is left out is as most have it. */
export interface HashSource {
  readonly map: Pick<BpfMap, 'name' | 'keySize' | 'get' | 'set' | 'delete' | 'getSlice'>;
  readonly rows: () => Iterable<ExpectedRow>;
  readonly expected: (key: string) => Uint8Array | null | undefined;
  readonly describe: (key: string) => string;
  readonly show?: (value: Uint8Array) => string;
  readonly isSame?: (expected: Uint8Array, found: Uint8Array) => boolean;
}

export const isSameOctets = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex');

/** A hash or a trie. */
export function hashTable(source: HashSource): VerifiedTable {
  const { map, rows, expected, describe, show = hex, isSame = isSameOctets } = source;
  return {
    name: map.name,
    ...{ rows, expected, describe, show, isSame },
    read: (key) => map.get(keyBytes(key)),
    keys: (position, limit) => {
      const { count, keys, next } = map.getSlice(position, limit);
      return {
        keys: Array.from({ length: count }, (_, i) => keyText(keys.subarray(i * map.keySize, (i + 1) * map.keySize))),
        next,
      };
    },
    write: (key, value) => map.set(keyBytes(key), value),
    remove: (key) => void map.delete(keyBytes(key)),
  };
}
