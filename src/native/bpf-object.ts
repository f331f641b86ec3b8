import type { ObjectDescription } from './addon.ts';
import { BpfError } from './bpf-error.ts';
import { BpfMap } from './bpf-map.ts';
import { BpfProgram } from './bpf-program.ts';
import { Handle } from './handle.ts';
import { addon, type RawObject } from './load-addon.ts';

type Phase = 'open' | 'loading' | 'loaded' | 'failed';

/**
 * A BPF object file on its way into the kernel: open, configure, load, then take maps and programs. What it handed out is closed
 * with it; links and pins live on.
 */
export class BpfObject {
  readonly #handle: Handle<RawObject>;
  readonly #maps = new Map<string, BpfMap>();
  readonly #programs = new Map<string, BpfProgram>();
  #phase: Phase = 'open';

  private constructor(raw: RawObject) {
    this.#handle = new Handle('object', raw);
  }

  /** Reads the file; needs no privilege. Throws BpfError ENOENT, or EFORMAT, ELIBELF, ... with libbpf's messages in detail. */
  static open(path: string): BpfObject {
    return new BpfObject(new (addon().Object)(path));
  }

  /** open, describe, close. */
  static describe(path: string): ObjectDescription {
    const object = BpfObject.open(path);
    try {
      return object.describe();
    } finally {
      object.close();
    }
  }

  /** Maps, variables, programs and named types of the file. Needs no privilege. */
  describe(): ObjectDescription {
    return this.#idle('describe').describe();
  }

  /** Sets a global variable (.rodata, .data, .bss) before load. Throws BpfError ENOENT, EVALUESIZE, ELOADED. */
  setVariable(name: string, bytes: Uint8Array): void {
    const raw = this.#unloaded('setVariable');
    if (!(bytes instanceof Uint8Array)) throw new BpfError('EINVAL', 'object.setVariable', 'expected a Uint8Array');
    raw.setVariable(name, bytes);
  }

  /** Rows of a map, before load. Throws BpfError ENOENT, ELOADED. */
  setMaxEntries(map: string, maxEntries: number): void {
    const raw = this.#unloaded('setMaxEntries');
    if (!Number.isInteger(maxEntries) || maxEntries < 1 || maxEntries > 0xffffffff) {
      throw new BpfError('EINVAL', 'object.setMaxEntries', `${map}: ${maxEntries} is no number of rows`);
    }
    raw.setMaxEntries(map, maxEntries);
  }

  /**
   * Before load: use this map instead of making one. Type and sizes must agree (EMAPMISMATCH); whether the rows mean the same
   * is the caller's to know. maxEntries and flags are the reused map's.
   */
  reuseMap(map: string, pinned: BpfMap): void {
    this.#unloaded('reuseMap').reuseMap(map, pinned.raw('reuseMap'));
  }

  /** Whether load() loads this program; before load. */
  setAutoload(program: string, on: boolean): void {
    this.#unloaded('setAutoload').setAutoload(program, on);
  }

  /**
   * Makes the maps and has the programs verified, off the main thread. Throws BpfError with libbpf's messages and the verifier
   * log in detail; EPERM says what is needed. After a failure only close() is left. close() meanwhile makes it ECLOSED.
   */
  async load(): Promise<void> {
    const raw = this.#unloaded('load');
    this.#phase = 'loading';
    try {
      await raw.load();
    } catch (error) {
      this.#phase = 'failed';
      throw error;
    }
    this.#phase = 'loaded';
    this.#handle.use('load');
  }

  /** After load; the same BpfMap each time. Throws BpfError ENOENT, ENOTLOADED. */
  map(name: string): BpfMap {
    const raw = this.#loaded('map');
    const map = this.#maps.get(name) ?? BpfMap.fromRaw(raw.map(name));
    this.#maps.set(name, map);
    return map;
  }

  /** After load; the same BpfProgram each time. Throws BpfError ENOENT, ENOTLOADED (also when its autoload was off). */
  program(name: string): BpfProgram {
    const raw = this.#loaded('program');
    const program = this.#programs.get(name) ?? BpfProgram.fromRaw(raw.program(name));
    this.#programs.set(name, program);
    return program;
  }

  /** Closes the maps and programs that it handed out, too. Twice is fine; during a load is fine. */
  close(): void {
    for (const child of [...this.#maps.values(), ...this.#programs.values()]) child.close();
    this.#handle.close((raw) => raw.close());
  }

  #idle(verb: string): RawObject {
    const raw = this.#handle.use(verb);
    if (this.#phase === 'loading') throw new BpfError('EBUSY', `object.${verb}`, 'the object is being loaded');
    return raw;
  }

  #unloaded(verb: string): RawObject {
    const raw = this.#idle(verb);
    if (this.#phase === 'loaded') throw new BpfError('ELOADED', `object.${verb}`, 'the object is loaded already');
    if (this.#phase === 'failed') throw new BpfError('ENOTLOADED', `object.${verb}`, 'the load failed: open the file again');
    return raw;
  }

  #loaded(verb: string): RawObject {
    const raw = this.#idle(verb);
    if (this.#phase !== 'loaded') throw new BpfError('ENOTLOADED', `object.${verb}`, 'the object is not loaded');
    return raw;
  }
}
