// `turnout monitor`: holds the lease, prints what comes, and ends as it was asked to.
import { EventMonitor, MONITOR_TABLES } from './backend/ebpf/event-monitor.ts';
import { folderInForce, openTables, requireFolder } from './backend/ebpf/pinned-tables.ts';
import type { MonitorOptions } from './cli/commands/monitor.ts';
import {
  eventJson,
  eventLine,
  type MonitorEvent,
  matchesEvent,
  missedJson,
  missedLine,
  reasonLines,
} from './cli/monitor-event.ts';
import { TurnoutError } from './errors.ts';
import { holdName } from './instance.ts';
import { StandardOutput } from './standard-output.ts';

const RENEW_MS = 1000;

/** Resolves when the signal aborts, the reader leaves, or as many events or as much time as was asked for have passed. */
export async function watchMonitor(bpffsRoot: string, options: MonitorOptions, signal: AbortSignal): Promise<void> {
  const folder = requireFolder(bpffsRoot);
  const startedAt = new Date().toISOString();
  const held = await holdName<MonitorFacts>('turnout-monitor', () => ({ pid: process.pid, startedAt }), alreadyThere);
  const stdout = new StandardOutput();
  const done = new AbortController();
  const printer = new EventPrinter(stdout, options, () => done.abort());
  const monitor = new EventMonitor(openTables(folder, MONITOR_TABLES), options.kinds);
  let timer: NodeJS.Timeout | undefined;
  let end: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      AbortSignal.any([signal, stdout.gone, done.signal]).addEventListener('abort', () => resolve(), { once: true });
      if (signal.aborted) resolve();
      monitor.start((event) => printer.print(event));
      timer = setInterval(() => {
        monitor.renew();
        printer.tellMissed(monitor.missed);
        if (folderInForce(bpffsRoot)?.path !== folder.path) reject(replaced());
      }, RENEW_MS);
      if (options.durationMs !== null) end = setTimeout(resolve, options.durationMs);
      // Said where it is in nobody's way, for people and for whoever waits until it looks.
      console.error(`turnout monitor looks at ${options.kinds.join(', ')}; Ctrl-C ends it`);
    });
  } finally {
    clearInterval(timer);
    clearTimeout(end);
    monitor.close();
    printer.tellMissed(monitor.missed);
    held.close();
    await stdout.end();
  }
}

interface MonitorFacts {
  readonly pid: number;
  readonly startedAt: string;
}

function alreadyThere(other: MonitorFacts | null): TurnoutError {
  const who = other ? `another turnout monitor (pid ${other.pid}, since ${other.startedAt})` : 'another turnout monitor';
  return new TurnoutError('EMONITOR', `${who} is looking already: events are told to one`, {
    hint: other ? `stop it first: kill ${other.pid}` : 'stop it first',
  });
}

const replaced = (): TurnoutError =>
  new TurnoutError('EREPLACED', 'the datapath was removed, or replaced by one with other tables', {
    hint: 'start the monitor again',
  });

class EventPrinter {
  readonly #stdout: StandardOutput;
  readonly #options: MonitorOptions;
  readonly #onDone: () => void;
  readonly #explained = new Set<string>();
  #left: number;
  #untold = 0; // events that a slow reader made us leave out
  #toldMissed = 0;

  constructor(stdout: StandardOutput, options: MonitorOptions, onDone: () => void) {
    this.#stdout = stdout;
    this.#options = options;
    this.#onDone = onDone;
    this.#left = options.count ?? Number.POSITIVE_INFINITY;
  }

  print(event: MonitorEvent): void {
    if (this.#left <= 0 || !matchesEvent(this.#options.filter, event)) return;
    if (!this.#stdout.write(`${this.#lines(event).join('\n')}\n`)) {
      this.#untold++;
      return;
    }
    this.#left--;
    if (this.#left === 0) this.#onDone();
  }

  #lines(event: MonitorEvent): string[] {
    if (this.#options.output === 'json') return [eventJson(event)];
    const { reason } = event;
    if (reason === null || this.#explained.has(reason)) return [eventLine(event)];
    this.#explained.add(reason);
    return [eventLine(event), ...reasonLines(reason)];
  }

  /** missed: by the programs, in all. */
  tellMissed(missed: number): void {
    const count = missed + this.#untold - this.#toldMissed;
    if (count <= 0) return;
    const line = this.#options.output === 'json' ? missedJson(Date.now(), count) : missedLine(Date.now(), count);
    if (this.#stdout.write(`${line}\n`)) this.#toldMissed += count;
  }
}
