// A sub-command of turnout that goes on until it is told to stop, and its lines.
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ClusterNode } from '../../lab/cluster.ts';
import { until } from '../../lab/turnout.ts';

const BINARY = join(import.meta.dirname, '../../bin/turnout');

export class RunningCommand {
  readonly lines: string[] = [];
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #ended: Promise<number | null>;
  #stderr = '';

  constructor(node: ClusterNode, ...args: string[]) {
    this.#name = args.join(' ');
    this.#child = node.namespace.spawn(BINARY, [...args, ...node.turnout.place], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#ended = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.stderr?.on('data', (data: Buffer) => {
      this.#stderr += data.toString();
    });
    if (this.#child.stdout) createInterface({ input: this.#child.stdout }).on('line', (line) => this.lines.push(line));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }
  get stderr(): string {
    return this.#stderr;
  }

  /** Resolves when its error output has a text; throws when it ends before. */
  said(text: string): Promise<void> {
    return until(`${this.#name} says "${text}"`, () => this.#isThere() && this.#stderr.includes(text));
  }

  /** Resolves with the first of its JSON lines that is as asked. */
  async object<T>(isWanted: (object: T) => boolean): Promise<T> {
    let found: T | undefined;
    await until(`${this.#name} prints what is waited for`, () => {
      found = this.lines.map((line) => JSON.parse(line) as T).find(isWanted);
      return found !== undefined || (this.#isThere() && false);
    });
    return found as T;
  }

  /** Nobody reads its output any more. */
  stopReading(): void {
    this.#child.stdout?.destroy();
  }

  /** Its exit code; null after a signal that it did not handle. */
  async end(signal?: NodeJS.Signals): Promise<number | null> {
    if (signal !== undefined) this.#child.kill(signal);
    return await this.#ended;
  }

  #isThere(): boolean {
    if (this.#child.exitCode === null && this.#child.signalCode === null) return true;
    throw new Error(`${this.#name} ended (${this.#child.exitCode}): ${this.#stderr}`);
  }
}
