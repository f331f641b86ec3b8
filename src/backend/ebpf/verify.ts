// Compares tables with what should be in them, a part at a time, and puts right what differs.
import { reasonOf } from '../../errors.ts';
import type { VerifiedTable } from './verified-table.ts';

export type DriftKind = 'missing' | 'differs' | 'unexpected';

export interface Drift {
  readonly table: string;
  readonly kind: DriftKind;
  readonly row: string;
  readonly expected: string; // '' : no such row
  readonly found: string; // '' : no such row
  /** '' : put right; else why not. */
  readonly failure: string;
}

/** Rows that are looked at between two chances for others to run: less than a millisecond. */
export const SLICE_ROWS = 128;

/**
 * One table in both directions; yields after each slice how many rows it looked at. A row is compared and put right without a pause in
 * between, and passes do not pause where tables and memory differ: so what is found to differ was changed by somebody else.
 */
export function* compareTable(table: VerifiedTable, onDrift: (drift: Drift) => void): Generator<number> {
  const look = (key: string, expected: Uint8Array | null | undefined): void => {
    if (expected === undefined) return;
    const found = table.read(key);
    if (expected === null ? found === null : found !== null && table.isSame(expected, found)) return;
    onDrift(putRight(table, key, expected, found));
  };
  let rows = 0;
  for (const { key, value } of table.rows()) {
    look(key, value);
    if (++rows % SLICE_ROWS === 0) yield SLICE_ROWS;
  }
  yield rows % SLICE_ROWS;
  if (!table.keys) return;
  let position: Uint8Array | null = null;
  // A trie whose row at the position went begins again: a round comes to an end all the same.
  for (let slices = 2 * (rows / SLICE_ROWS) + 64; slices > 0; slices--) {
    const { keys, next } = table.keys(position, SLICE_ROWS);
    for (const key of keys) {
      const expected = table.expected(key);
      if (expected === null) look(key, expected);
    }
    yield keys.length;
    if (next === null) return;
    position = next;
  }
}

function putRight(table: VerifiedTable, key: string, expected: Uint8Array | null, found: Uint8Array | null): Drift {
  const shown = found ? table.show(found) : ''; // before it is written over: an array shows its memory
  let failure = '';
  try {
    if (expected) table.write(key, expected);
    else table.remove(key);
  } catch (error) {
    failure = reasonOf(error);
  }
  return {
    table: table.name,
    kind: expected === null ? 'unexpected' : found === null ? 'missing' : 'differs',
    row: table.describe(key),
    expected: expected ? table.show(expected) : '',
    found: shown,
    failure,
  };
}
