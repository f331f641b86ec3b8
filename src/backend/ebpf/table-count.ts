// How full a table is that the programs write: counted in parts, since the kernel does not tell.
import type { BpfMap } from '../../native/bpf-map.ts';
import { SLICE_ROWS } from './verify.ts';

export class TableCount {
  readonly #map: Pick<BpfMap, 'getSlice'>;
  #used = 0;

  constructor(map: Pick<BpfMap, 'getSlice'>) {
    this.#map = map;
  }

  /** As of the last count that came to its end. */
  get used(): number {
    return this.#used;
  }

  /** Yields after each part how many rows it had. */
  *count(): Generator<number> {
    let used = 0;
    let position: Uint8Array | null = null;
    do {
      const slice: ReturnType<BpfMap['getSlice']> = this.#map.getSlice(position, SLICE_ROWS);
      used += slice.count;
      position = slice.next;
      yield slice.count;
    } while (position !== null);
    this.#used = used;
  }
}
