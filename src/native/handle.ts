import { BpfError } from './bpf-error.ts';

/**
 * Holds a raw C++ handle until it is closed. Every use goes through `use`, so that use after close throws BpfError ECLOSED,
 * and closing twice is fine.
 */
export class Handle<Raw> {
  #raw: Raw | null;
  readonly #noun: string;

  constructor(noun: string, raw: Raw) {
    this.#noun = noun;
    this.#raw = raw;
  }

  get isClosed(): boolean {
    return this.#raw === null;
  }

  use(verb: string): Raw {
    if (this.#raw === null) throw new BpfError('ECLOSED', `${this.#noun}.${verb}`, `the ${this.#noun} is closed`);
    return this.#raw;
  }

  close(closeRaw: (raw: Raw) => void): void {
    const raw = this.#raw;
    this.#raw = null;
    if (raw !== null) closeRaw(raw);
  }
}

/** Throws `code` unless bytes is a Uint8Array of exactly this many octets. */
export function expectBytes(bytes: Uint8Array, size: number, code: 'EKEYSIZE' | 'EVALUESIZE', operation: string): void {
  if (!(bytes instanceof Uint8Array)) throw new BpfError('EINVAL', operation, 'expected a Uint8Array');
  if (bytes.byteLength !== size) {
    const noun = code === 'EKEYSIZE' ? 'key' : 'value';
    throw new BpfError(code, operation, `expected ${size} octets of ${noun}, got ${bytes.byteLength}`);
  }
}
