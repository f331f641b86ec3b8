// turnout on a node of the lab, started as a user would: bin/turnout with flags and a folder of manifests.
import type { ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServiceRow } from '../src/cli/services-table.ts';
import { hasFrontend } from './frontend-row.ts';
import type { Lab } from './lab.ts';
import type { Namespace } from './namespace.ts';

const BINARY = join(import.meta.dirname, '../bin/turnout');
const READY_MS = Number(process.env['LAB_READY_MS'] ?? 30_000);
const MARKER_IP = '198.18.255.254';

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Record<string, string> };
  readonly [field: string]: unknown;
}

export interface TurnoutOptions {
  readonly lab: Lab;
  readonly namespace: Namespace; // with a cgroup
  readonly nodeName: string;
  readonly flags?: readonly string[];
  readonly binary?: string; // default: this checkout's bin/turnout
  readonly bpffs?: string; // default: one of its own
}

/** Resolves when `isDone`; looks every few milliseconds, since it is another process that gets there. */
export async function until(what: string, isDone: () => boolean | Promise<boolean>, timeoutMs = READY_MS): Promise<void> {
  const startMs = performance.now();
  while (!(await isDone())) {
    if (performance.now() - startMs > timeoutMs) throw new Error(`not within ${timeoutMs / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export class Turnout {
  readonly manifests: string;
  readonly bpffs: string;
  readonly log: string;
  readonly #options: TurnoutOptions;
  #source: string;
  #child: ChildProcess | null = null;
  #startAt = 0; // in the log
  #markerPort = 1;

  constructor(options: TurnoutOptions) {
    const { lab, namespace } = options;
    this.#options = options;
    this.manifests = join(lab.folder, `manifests-${namespace.name}`);
    this.log = join(lab.folder, `turnout-${namespace.name}.log`);
    this.bpffs = options.bpffs ?? lab.bpffs(namespace.name);
    this.#source = `--manifests=${this.manifests}`;
    mkdirSync(this.manifests, { recursive: true });
    lab.onClose(async () => void (await this.stop('SIGKILL')));
  }

  /** Flags that find this node's datapath. */
  get place(): string[] {
    return [`--ebpf-bpffs-root=${this.bpffs}`, `--ebpf-cgroup-root=${this.#options.namespace.cgroup}`];
  }

  /** The proxy's process id by its own word; 0 when none runs. */
  get instancePid(): number {
    const { process } = JSON.parse(this.run('status', '--output=json')) as { process: { pid: number } | null };
    return process?.pid ?? 0;
  }

  /** From the next start on, objects come from an API server instead of manifests. */
  useApiServer(kubeconfig: string): void {
    this.#source = `--kubeconfig=${kubeconfig}`;
  }

  /** Starts the process and waits until it is ready. */
  async start(flags: readonly string[] = this.#options.flags ?? []): Promise<void> {
    this.launch(flags);
    await this.ready();
  }

  /** Starts the process. */
  launch(flags: readonly string[] = this.#options.flags ?? []): void {
    const { namespace, nodeName } = this.#options;
    const log = openSync(this.log, 'a');
    this.#startAt = readFileSync(this.log, 'utf8').length;
    const own = [`--hostname-override=${nodeName}`, this.#source, ...this.place];
    // Tests count connections and flows, so the canary flies only where a test asks for it.
    const quiet = flags.some((flag) => flag.startsWith('--config'))
      ? []
      : ['--conntrack-max-per-core=0', '--oom-score-adj=0', '--ebpf-verify-period=0s'];
    const args = [...own, ...quiet, ...flags];
    this.#child = namespace.spawn(this.#options.binary ?? BINARY, args, { stdio: ['ignore', log, log] });
    closeSync(log);
  }

  /** Resolves when the process has programmed its first full picture. */
  ready(): Promise<void> {
    return this.logged('"Ready"');
  }

  /** Resolves when the process has logged this text since its start. */
  async logged(text: string): Promise<void> {
    const { name } = this.#options.namespace;
    await until(`turnout on ${name} logs ${text}`, () => {
      const log = this.logSinceStart;
      if (!this.#child || this.#child.exitCode !== null || this.#child.signalCode !== null)
        throw new Error(`turnout on ${name} ended:\n${log}`);
      return log.includes(text);
    });
  }

  get logSinceStart(): string {
    return readFileSync(this.log, 'utf8').slice(this.#startAt);
  }

  /** Ends the process and waits for it; its datapath stays in force. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const child = this.#child;
    this.#child = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    child.kill(signal);
    return await ended;
  }

  /** `turnout` with a sub-command on this node. */
  run(command: string, ...args: string[]): string {
    return this.#options.namespace.run(this.#options.binary ?? BINARY, command, ...this.place, ...args);
  }

  /** What is programmed on this node, by `turnout services`. */
  services(): ServiceRow[] {
    return JSON.parse(this.run('services', '--output=json')) as ServiceRow[];
  }

  /** Replaces what one file holds (nothing: removes it); atomically, as a careful writer does. */
  write(file: string, objects: readonly Manifest[]): void {
    const path = join(this.manifests, `${file}.json`);
    if (objects.length === 0) return rmSync(path, { force: true });
    const temporary = join(this.manifests, `.${file}.tmp`);
    writeFileSync(temporary, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }, null, 1));
    renameSync(temporary, path);
  }

  /** Writes the file together with a marker Service, and waits until the marker, and so the file, is in force. */
  async apply(file: string, objects: readonly Manifest[]): Promise<void> {
    const port = this.#markerPort++;
    const name = `marker-${file}`;
    const marker = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { namespace: 'lab', name },
      spec: { clusterIP: MARKER_IP, ports: [{ port }] },
    };
    const passes = this.#passes;
    this.write(file, [...objects, marker]);
    await until(`${file} is in force`, () => {
      // By a process, which takes half a second of a core; where passes are logged, by the end of the pass that wrote the marker.
      if (!this.#logsPasses) return this.services().some((row) => row.name === name && row.port === port);
      return this.#passes > passes && hasFrontend(this.bpffs, MARKER_IP, port);
    });
  }

  get #logsPasses(): boolean {
    return this.#options.flags?.includes('--v=2') ?? false;
  }

  get #passes(): number {
    return this.logSinceStart.split('"Synced"').length;
  }
}
