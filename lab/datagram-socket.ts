// An ordinary UDP socket in a namespace, in a process of its own, that tells the size and hash of what it receives.
import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Namespace } from './namespace.ts';
import { until } from './turnout.ts';

export interface Datagram {
  readonly from: string;
  readonly fromPort: number;
  readonly octets: number;
  readonly sha256: string;
}

export interface SendRequest {
  readonly to: string;
  readonly toPort: number;
  readonly octets: number;
  readonly seed: number;
}

/** Octets that differ from place to place and from seed to seed. */
export function payload(octets: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: octets }, (_, i) => ((i * 31) ^ (i >> 8) ^ (seed * 7)) & 0xff);
}

export const payloadHash = (octets: number, seed: number): string =>
  createHash('sha256').update(payload(octets, seed)).digest('hex');

export class DatagramSocket {
  readonly received: Datagram[] = [];
  readonly errors: string[] = [];
  readonly #child: ChildProcess;
  readonly #name: string;

  private constructor(child: ChildProcess, name: string) {
    this.#child = child;
    this.#name = name;
  }

  /** echo: what it receives goes back to the sender. */
  static async open(namespace: Namespace, address: string, port: number, mode: '' | 'echo' = ''): Promise<DatagramSocket> {
    const script = join(import.meta.dirname, 'datagram-process.ts');
    const child = namespace.spawn(process.execPath, [script, address, String(port), mode], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    if (!child.stdout) throw new Error('a datagram process without output');
    const socket = new DatagramSocket(child, `${address} port ${port} in ${namespace.name}`);
    const lines = createInterface({ input: child.stdout });
    const ready = once(lines, 'line');
    lines.on('line', (line) => {
      const value = JSON.parse(line) as Partial<Datagram> & { ready?: boolean; error?: string };
      if (value.error !== undefined) socket.errors.push(value.error);
      else if (!value.ready) socket.received.push(value as Datagram);
    });
    await ready;
    return socket;
  }

  send(to: string, toPort: number, octets: number, seed: number): void {
    this.#child.stdin?.write(`${JSON.stringify({ to, toPort, octets, seed } satisfies SendRequest)}\n`);
  }

  /** The datagram with this payload, once it is there. */
  async receives(octets: number, seed: number, timeoutMs = 3000): Promise<Datagram> {
    const sha256 = payloadHash(octets, seed);
    const find = (): Datagram | undefined => this.received.find((one) => one.sha256 === sha256);
    await until(`a datagram of ${octets} octets comes to ${this.#name}`, () => find() !== undefined, timeoutMs);
    const found = find();
    if (!found) throw new Error('unreachable');
    return found;
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.stdin?.end();
    await ended;
  }
}
