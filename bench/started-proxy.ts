// A proxy that is timed: from the moment it is started to the moment it says that everything is in the kernel.
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Namespace } from '../lab/namespace.ts';

export interface Start {
  readonly readyMs: number; // from the start of the process to its "Ready", which follows the last map write
  readonly peakKiB: number; // resident memory, VmHWM
}

export class StartedProxy {
  readonly #child: ChildProcess;
  readonly #startMs = performance.now();
  #output = '';

  /** command and arguments as typed; `flags` make it print "Ready". */
  constructor(namespace: Namespace, command: string, flags: readonly string[]) {
    this.#child = namespace.spawn(command, flags, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (data: Buffer) => {
        this.#output += data.toString();
      });
    }
  }

  /** Resolves when it has said `word`; rejects when it ends before, with what it said. */
  async ready(word: string): Promise<Start> {
    await new Promise<void>((resolve, reject) => {
      const look = (): void => {
        if (this.#output.includes(word)) resolve();
      };
      for (const stream of [this.#child.stdout, this.#child.stderr]) stream?.on('data', look);
      this.#child.on('exit', (status) => reject(new Error(`the proxy ended (${status}) before it was ready:\n${this.#output}`)));
      look();
    });
    const readyMs = performance.now() - this.#startMs;
    return { readyMs, peakKiB: peakKiBOf(this.#child.pid ?? 0) };
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGTERM');
    await ended;
  }
}

/** The shell that starts it becomes the proxy by exec, so the child's id is the proxy's. */
function peakKiBOf(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? Number.NaN);
}
