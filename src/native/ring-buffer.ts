import { BpfError } from './bpf-error.ts';
import type { BpfMap } from './bpf-map.ts';
import { deliver } from './deliver.ts';
import { addon } from './load-addon.ts';

const BPF_MAP_TYPE_RINGBUF = 27;

/** Reads a ring buffer map until close(), and keeps the process alive until then. One reader a map. */
export class RingBuffer {
  readonly #raw: { close(): void };
  #isClosed = false;

  /** onRecord gets a copy of each record, in order. Throws BpfError EINVAL when the map is no ring buffer. */
  constructor(map: BpfMap, onRecord: (bytes: Uint8Array) => void) {
    const rawMap = map.raw('read');
    if (map.type !== BPF_MAP_TYPE_RINGBUF) throw new BpfError('EINVAL', 'ringBuffer.open', `${map.name} is not a ring buffer`);
    this.#raw = new (addon().RingBuffer)(rawMap, (records) => deliver(records, onRecord, () => this.#isClosed));
  }

  /** No record is delivered after it. Twice is fine, also from within onRecord. */
  close(): void {
    this.#isClosed = true;
    this.#raw.close();
  }
}
