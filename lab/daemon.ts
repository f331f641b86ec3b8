// A long-lived process in a namespace, with its output in a file.
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Lab } from './lab.ts';
import type { Namespace } from './namespace.ts';
import { until } from './turnout.ts';

const LOG_SHOWN = 4000; // octets of it in an error message

export class Daemon {
  readonly name: string;
  readonly log: string;
  readonly #namespace: Namespace;
  #child: ChildProcess | null = null;

  constructor(lab: Lab, namespace: Namespace, name: string) {
    this.name = name;
    this.log = join(lab.folder, `${name}-${namespace.name}.log`);
    this.#namespace = namespace;
    lab.onClose(() => this.stop('SIGKILL'));
  }

  /** Starts it and waits until `isReady`; throws with the end of its output when it ends before that. */
  async start(command: string, args: readonly string[], isReady: () => boolean | Promise<boolean>): Promise<void> {
    const log = openSync(this.log, 'a');
    const child = this.#namespace.spawn(command, args, { stdio: ['ignore', log, log] });
    closeSync(log);
    this.#child = child;
    const ended = new Promise<never>((_, reject) => {
      child.once('error', reject);
      child.once('exit', (status) => reject(new Error(`${this.name} ended (${status}):\n${this.#endOfLog()}`)));
    });
    ended.catch(() => {}); // an end after it was ready is noticed by whoever talks to it
    try {
      await Promise.race([ended, until(`${this.name} is ready`, isReady, 120_000)]);
    } catch (error) {
      if (child.exitCode !== null || child.signalCode !== null) await ended;
      throw new Error(`${(error as Error).message}\n${this.#endOfLog()}`);
    }
  }

  /** Ends it and waits for that. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  }

  #endOfLog(): string {
    return readFileSync(this.log, 'utf8').slice(-LOG_SHOWN);
  }
}
