// Whole frames in a namespace: sent as they are given, in any order, and watched on a device (frames.c, which `make` builds).
import { type ChildProcess, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Namespace } from './namespace.ts';

const BINARY = join(import.meta.dirname, '../build/lab/frames');

/** Sends frames back to back. gapsUs[i] passes before frame i. */
export function sendFrames(
  namespace: Namespace,
  device: string,
  frames: readonly Uint8Array[],
  gapsUs: readonly number[] = [],
): void {
  const input = `${frames.map((frame) => Buffer.from(frame).toString('hex')).join('\n')}\n`;
  const args = [`--net=${namespace.path}`, BINARY, 'send', device, ...gapsUs.map(String)];
  const { status, stderr } = spawnSync('nsenter', args, { input, encoding: 'utf8' });
  if (status !== 0) throw new Error(`frames of ${namespace.name} on ${device}: ${stderr.trim()}`);
}

/** What passes on a device from open() to close(). */
export class FrameWatch {
  readonly received: Uint8Array[] = [];
  readonly sent: Uint8Array[] = [];
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async open(namespace: Namespace, device: string): Promise<FrameWatch> {
    const child = namespace.spawn(BINARY, ['watch', device], { stdio: ['pipe', 'pipe', 'inherit'] });
    if (!child.stdout) throw new Error('frames without output');
    const watch = new FrameWatch(child);
    const lines = createInterface({ input: child.stdout });
    const ready = once(lines, 'line');
    lines.on('line', (line) => {
      if (line === 'ready') return;
      (line.startsWith('>') ? watch.sent : watch.received).push(Uint8Array.from(Buffer.from(line.slice(1), 'hex')));
    });
    await ready;
    return watch;
  }

  /** Resolves when all that passed so far has been read. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'close');
    this.#child.stdin?.end();
    await ended;
  }
}
