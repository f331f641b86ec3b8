// A laboratory of network namespaces. Everything in it has a name with this process's id, and is removed with it, whatever happens.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Namespace } from './namespace.ts';
import { run, succeeds } from './shell.ts';

const PREFIX = 'tn';
const NAME = /^tn(\d+)-/;
let labs = 0;

/** The cgroup v2 mount of this machine. */
export function cgroup2Mount(): string {
  const line = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .find((mount) => mount.split(' ')[2] === 'cgroup2');
  if (!line)
    throw new Error('the lab needs cgroup v2, which is mounted nowhere: mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified');
  return line.split(' ')[1] ?? '';
}

/** Removes what labs of dead processes left behind. */
export function removeLeftovers(): void {
  const isDead = (name: string): boolean => {
    const pid = NAME.exec(name)?.[1];
    return pid !== undefined && !existsSync(`/proc/${pid}`);
  };
  for (const name of existsSync('/run/netns') ? readdirSync('/run/netns') : [])
    if (isDead(name)) succeeds('ip', 'netns', 'delete', name);
  for (const name of readdirSync(tmpdir())) if (isDead(name)) removeFolder(join(tmpdir(), name));
  const cgroups = cgroup2Mount();
  for (const name of readdirSync(cgroups)) if (isDead(name)) removeCgroup(join(cgroups, name));
}

export class Lab {
  /** Short: device names of at most 15 characters are made with it. */
  readonly id = `${PREFIX}${process.pid}-${labs++}`;
  readonly folder: string;
  readonly cgroupRoot: string;
  readonly #namespaces: Namespace[] = [];
  readonly #closers: (() => void | Promise<void>)[] = [];
  readonly #onExit = (): void => this.#removeAll();
  readonly #onSignal = (): void => {
    this.#removeAll();
    process.exit(130);
  };

  constructor() {
    removeLeftovers();
    this.folder = mkdtempSync(join(tmpdir(), `${this.id}-`));
    this.cgroupRoot = join(cgroup2Mount(), this.id);
    mkdirSync(this.cgroupRoot);
    process.on('exit', this.#onExit);
    process.on('SIGINT', this.#onSignal);
    process.on('SIGTERM', this.#onSignal);
  }

  /** A namespace with loopback up and both families forwarding nothing. cgroup: what its processes join; '' : none. */
  namespace(name: string, cgroup = ''): Namespace {
    const namespace = new Namespace(`${this.id}-${name}`, name, cgroup);
    this.#namespaces.push(namespace);
    return namespace;
  }

  /** A cgroup below the lab's. */
  cgroup(name: string): string {
    const path = join(this.cgroupRoot, name);
    mkdirSync(path);
    return path;
  }

  /** An empty bpffs of its own. */
  bpffs(name: string): string {
    return this.#mount('bpf', `bpffs-${name}`);
  }

  /** An empty folder in memory. */
  tmpfs(name: string): string {
    return this.#mount('tmpfs', `tmpfs-${name}`);
  }

  #mount(type: string, name: string): string {
    const path = join(this.folder, name);
    mkdirSync(path);
    run('mount', '-t', type, type, path);
    return path;
  }

  /** Runs before the namespaces go. */
  onClose(close: () => void | Promise<void>): void {
    this.#closers.push(close);
  }

  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
    await Promise.all(this.#namespaces.map((namespace) => namespace.stopAgent()));
    this.#removeAll();
    process.off('exit', this.#onExit);
    process.off('SIGINT', this.#onSignal);
    process.off('SIGTERM', this.#onSignal);
  }

  /** Leaves everything in place when this process ends. */
  keep(): void {
    process.off('exit', this.#onExit);
    process.off('SIGINT', this.#onSignal);
    process.off('SIGTERM', this.#onSignal);
  }

  #removeAll(): void {
    for (const namespace of this.#namespaces.splice(0)) namespace.remove();
    removeFolder(this.folder);
    removeCgroup(this.cgroupRoot);
  }
}

function removeFolder(path: string): void {
  if (!existsSync(path)) return;
  for (const name of readdirSync(path)) if (/^(bpffs|tmpfs)-/.test(name)) succeeds('umount', '-l', join(path, name));
  rmSync(path, { recursive: true, force: true });
}

/** A cgroup goes when its last process has; those are killed first. */
function removeCgroup(path: string): void {
  if (!existsSync(path)) return;
  for (const entry of readdirSync(path, { withFileTypes: true })) if (entry.isDirectory()) removeCgroup(join(path, entry.name));
  for (const pid of readFileSync(join(path, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean)) {
    if (Number(pid) !== process.pid) succeeds('kill', '-9', pid);
  }
  for (let tries = 0; tries < 100; tries++) {
    try {
      rmdirSync(path);
      return;
    } catch {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20); // a killed process leaves its cgroup a moment later
    }
  }
}
