import type { MapDescription } from './addon.ts';
import { BpfError } from './bpf-error.ts';
import { expectBytes, Handle } from './handle.ts';
import { addon, type MapProperties, type RawMap } from './load-addon.ts';
import { requireBpffs, unpin } from './system.ts';

const BPF_F_MMAPABLE = 1 << 10;
const UPDATE_FLAGS = { any: 0, new: 1, existing: 2 } as const;

/**
 * A BPF map. Keys and values are octets in the map's own layout: `keySize` and `rowSize` long, checked before the kernel sees
 * them (EKEYSIZE, EVALUESIZE). Owns a descriptor: close() it, or close the object that it came from.
 */
export class BpfMap {
  readonly #handle: Handle<RawMap>;
  readonly #properties: MapProperties;
  #view: Uint8Array | undefined;

  private constructor(raw: RawMap) {
    this.#handle = new Handle('map', raw);
    this.#properties = raw.properties();
  }

  /** For BpfObject. */
  static fromRaw(raw: RawMap): BpfMap {
    return new BpfMap(raw);
  }

  /** Throws BpfError ENOENT when nothing is pinned there, ENOTBPFFS when there is no bpffs, EWRONGKIND when it is no map. */
  static openPinned(path: string): BpfMap {
    requireBpffs(path, 'map.openPinned');
    return new BpfMap(new (addon().Map)(path));
  }

  /** A map that exists, by the kernel's id; whoever made it. Throws BpfError ENOENT, EPERM (needs CAP_SYS_ADMIN). */
  static openById(id: number): BpfMap {
    return new BpfMap(new (addon().Map)(id));
  }

  get id(): number {
    return this.#properties.id;
  }
  get name(): string {
    return this.#properties.name;
  }
  /** enum bpf_map_type */
  get type(): number {
    return this.#properties.type;
  }
  get keySize(): number {
    return this.#properties.keySize;
  }
  get valueSize(): number {
    return this.#properties.valueSize;
  }
  /** Octets of a row's value: valueSize, or for per-CPU maps (valueSize rounded up to 8) * possible CPUs. */
  get rowSize(): number {
    return this.#properties.rowSize;
  }
  get maxEntries(): number {
    return this.#properties.maxEntries;
  }
  /** BPF_F_* */
  get flags(): number {
    return this.#properties.flags;
  }

  /** Key and value types from the BTF that the kernel keeps; null where it has none. Needs CAP_SYS_ADMIN. */
  describe(): MapDescription {
    return this.#handle.use('describe').describe();
  }

  /** The row's value, or null when there is no such row. Per-CPU maps: perCpuGet. */
  get(key: Uint8Array): Uint8Array | null {
    const raw = this.#handle.use('get');
    if (this.#properties.isPerCpu) throw new BpfError('EPERCPU', 'map.get', `${this.name} is a per-CPU map: use perCpuGet`);
    expectBytes(key, this.keySize, 'EKEYSIZE', 'map.get');
    return raw.get(key);
  }

  /** One slot of valueSize rounded up to 8 for each possible CPU. Throws BpfError ENOENT when there is no such row. */
  perCpuGet(key: Uint8Array): Uint8Array {
    const raw = this.#handle.use('perCpuGet');
    if (!this.#properties.isPerCpu) throw new BpfError('EPERCPU', 'map.perCpuGet', `${this.name} is not a per-CPU map: use get`);
    expectBytes(key, this.keySize, 'EKEYSIZE', 'map.perCpuGet');
    const slots = raw.get(key);
    if (slots === null) throw new BpfError('ENOENT', 'map.perCpuGet', 'no such row');
    return slots;
  }

  /** Writes one row; the value is rowSize long. Throws BpfError EEXIST ('new'), ENOENT ('existing'), E2BIG when the map is full. */
  set(key: Uint8Array, value: Uint8Array, flags: keyof typeof UPDATE_FLAGS = 'any'): void {
    const raw = this.#handle.use('set');
    expectBytes(key, this.keySize, 'EKEYSIZE', 'map.set');
    expectBytes(value, this.rowSize, 'EVALUESIZE', 'map.set');
    raw.set(key, value, UPDATE_FLAGS[flags]);
  }

  /** False when there was no such row. */
  delete(key: Uint8Array): boolean {
    const raw = this.#handle.use('delete');
    expectBytes(key, this.keySize, 'EKEYSIZE', 'map.delete');
    return raw.delete(key);
  }

  /** All keys. A map that changes meanwhile may give a key twice or miss one. */
  keys(): Uint8Array[] {
    const bytes = this.#handle.use('keys').keys();
    return Array.from({ length: bytes.length / this.keySize }, (_, i) =>
      bytes.subarray(i * this.keySize, (i + 1) * this.keySize),
    );
  }

  /** The whole map, or its first `limit` rows: keys and values (rowSize each) one after the other, in no order. */
  getBatch(limit = 0xffffffff): { count: number; keys: Uint8Array; values: Uint8Array } {
    const raw = this.#handle.use('getBatch');
    if (!(limit >= 1)) throw new BpfError('EINVAL', 'map.getBatch', `${limit} is no number of rows`);
    return raw.getBatch(Math.min(limit, 0xffffffff));
  }

  /**
   * About `limit` rows, from the start (null) or from where the last slice ended; `next` is null at the end. Between two slices the map
   * may change: rows that come or go meanwhile may be missed, one that stays is not (of a trie, some may come twice).
   */
  getSlice(
    position: Uint8Array | null,
    limit: number,
  ): { count: number; keys: Uint8Array; values: Uint8Array; next: Uint8Array | null } {
    const raw = this.#handle.use('getSlice');
    if (!(limit >= 1 && limit <= 65536)) throw new BpfError('EINVAL', 'map.getSlice', `${limit} is no number of rows`);
    if (position) expectBytes(position, Math.max(this.keySize, 4), 'EKEYSIZE', 'map.getSlice');
    return raw.getSlice(position, limit);
  }

  /** Writes `count` rows laid one after the other. On failure detail says which row; the rows before it are written. */
  setBatch(keys: Uint8Array, values: Uint8Array, count: number): void {
    const raw = this.#handle.use('setBatch');
    expectBytes(keys, count * this.keySize, 'EKEYSIZE', 'map.setBatch');
    expectBytes(values, count * this.rowSize, 'EVALUESIZE', 'map.setBatch');
    raw.setBatch(keys, values, count);
  }

  /** Deletes `count` rows; returns how many of them existed. */
  deleteBatch(keys: Uint8Array, count: number): number {
    const raw = this.#handle.use('deleteBatch');
    expectBytes(keys, count * this.keySize, 'EKEYSIZE', 'map.deleteBatch');
    return raw.deleteBatch(keys, count);
  }

  /**
   * The memory of an array map with BPF_F_MMAPABLE, shared with the programs; rows lie valueSize rounded up to 8 apart. The
   * same view each time. It stays valid after close() and is unmapped by the garbage collector. It cannot be posted to a
   * worker: open the map there.
   */
  mmap(): Uint8Array {
    const raw = this.#handle.use('mmap');
    if ((this.flags & BPF_F_MMAPABLE) === 0) {
      throw new BpfError('ENOTMMAPABLE', 'map.mmap', `${this.name} was not made with BPF_F_MMAPABLE`);
    }
    this.#view ??= raw.mmap();
    return this.#view;
  }

  /** Throws BpfError EEXIST when something is pinned there, ENOTBPFFS when there is no bpffs. */
  pin(path: string): void {
    const raw = this.#handle.use('pin');
    requireBpffs(path, 'map.pin');
    raw.pin(path);
  }

  /** Removes the pin at this path. Throws BpfError ENOENT when there is none. */
  unpin(path: string): void {
    this.#handle.use('unpin');
    unpin(path);
  }

  /** Twice is fine. Views from mmap() stay valid. */
  close(): void {
    this.#view = undefined;
    this.#handle.close((raw) => raw.close());
  }

  /** For the wrappers beside this file. */
  raw(verb: string): RawMap {
    return this.#handle.use(verb);
  }
}
