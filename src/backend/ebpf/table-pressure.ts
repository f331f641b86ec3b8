// Tables that get full: told once with what to raise, and again only after there was room in between.
import type { Logger } from '../../log.ts';
import { SIZE_FLAGS } from './table-full.ts';

const NEARLY_FULL = 0.9;
const ROOM_AGAIN = 0.8;

export type TableFill = Readonly<Record<string, { readonly used: number; readonly size: number }>>;

export interface NearlyFull {
  readonly table: string;
  readonly used: number;
  readonly size: number;
  readonly flag: string;
}

export class TablePressure {
  readonly #logger: Logger;
  readonly #told = new Set<string>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  look(tables: TableFill): void {
    for (const [table, { used, size }] of Object.entries(tables)) {
      if (size > 0 && used < size * ROOM_AGAIN) this.#told.delete(table);
      if (!isNearlyFull(used, size) || this.#told.has(table)) continue;
      this.#told.add(table);
      this.#logger.warn('A table is nearly full', { table, used, size, flag: SIZE_FLAGS[table] ?? '' });
    }
  }
}

const isNearlyFull = (used: number, size: number): boolean => size > 0 && used > size * NEARLY_FULL;

export function nearlyFull(tables: TableFill): NearlyFull[] {
  return Object.entries(tables)
    .filter(([, { used, size }]) => isNearlyFull(used, size))
    .map(([table, { used, size }]) => ({ table, used, size, flag: SIZE_FLAGS[table] ?? '' }));
}
