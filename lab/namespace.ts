// One network namespace: commands in it, and an agent that listens and connects.
import { type ChildProcess, spawn } from 'node:child_process';
import { Agent } from './agent-client.ts';
import { run, succeeds } from './shell.ts';

export class Namespace {
  readonly netns: string; // as `ip netns` knows it
  readonly name: string;
  readonly cgroup: string;
  #agent: Agent | null = null;

  constructor(netns: string, name: string, cgroup: string) {
    this.netns = netns;
    this.name = name;
    this.cgroup = cgroup;
    run('ip', 'netns', 'add', netns);
    this.run('ip', 'link', 'set', 'lo', 'up');
    this.sysctl('net.ipv6.conf.all.accept_dad=0', 'net.ipv6.conf.default.accept_dad=0');
  }

  get path(): string {
    return `/run/netns/${this.netns}`;
  }

  run(command: string, ...args: string[]): string {
    return run('nsenter', `--net=${this.path}`, command, ...args);
  }

  succeeds(command: string, ...args: string[]): boolean {
    return succeeds('nsenter', `--net=${this.path}`, command, ...args);
  }

  /** `ip` with one line of arguments, or several lines. */
  ip(...lines: string[]): void {
    for (const line of lines) this.run('ip', ...line.trim().split(/\s+/));
  }

  sysctl(...settings: string[]): void {
    this.run('sysctl', '-qw', ...settings);
  }

  /** A child in this namespace and its cgroup. `nsenter`, not `ip netns exec`: that one hides bpffs and cgroup v2. */
  spawn(command: string, args: readonly string[], options: { stdio: ('pipe' | 'ignore' | 'inherit' | number)[] }): ChildProcess {
    const join = this.cgroup === '' ? '' : `echo $$ > '${this.cgroup}/cgroup.procs' && `;
    const script = `${join}exec nsenter --net='${this.path}' "$@"`;
    return spawn('sh', ['-c', script, 'sh', command, ...args], options);
  }

  /** The agent of this namespace, started when it is first asked for. */
  get agent(): Agent {
    this.#agent ??= new Agent(this);
    return this.#agent;
  }

  async stopAgent(): Promise<void> {
    await this.#agent?.close();
    this.#agent = null;
  }

  remove(): void {
    this.#agent?.kill();
    succeeds('ip', 'netns', 'delete', this.netns);
  }
}
