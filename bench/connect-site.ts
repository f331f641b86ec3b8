// Three namespaces in a row, client - node - backend, with what is to be measured on the node. Every endpoint's address is the
// backend's. Each contestant has a row of its own, so that all are there at once and take turns.
import { type ChildProcess, execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { Daemon } from '../lab/daemon.ts';
import type { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { cable } from '../lab/pod-network.ts';
import { until } from '../lab/turnout.ts';
import { clusterIpOf, NODE_NAME, podIpOf, type Size } from './objects.ts';
import { TURNOUT, turnoutFlags } from './release.ts';

const CRR = join(import.meta.dirname, '../build/bench/crr');
const SERVICE_PORT = 80; // of every object in objects.ts
const TARGET_PORT = 8080;
const SYNC_LIMIT_MS = 600_000; // kube-proxy needs minutes for the larger size on a busy machine
const IDLE_MS = 5000;

export interface Connects {
  readonly p50Ns: number;
  readonly p99Ns: number;
  readonly perSecond: number;
  readonly made: number; // with those of the warm-up, which count for nothing else
}

export class Site {
  readonly #lab: Lab;
  readonly #client: Namespace;
  readonly #node: Namespace;
  readonly #backend: Namespace;
  readonly #size: Size;
  #bpffs = '';

  constructor(lab: Lab, name: string, size: Size) {
    this.#lab = lab;
    this.#size = size;
    // A pod's processes are in the node's cgroup.
    const cgroup = lab.cgroup(name);
    this.#client = lab.namespace(`${name}-c`, cgroup);
    this.#node = lab.namespace(`${name}-n`, cgroup);
    this.#backend = lab.namespace(`${name}-b`);
    cable(this.#client, 'eth0', this.#node, 'pod0');
    cable(this.#node, 'eth0', this.#backend, 'eth0');
    this.#client.ip('addr add 10.244.0.2/24 dev eth0', 'route add default via 10.244.0.1');
    this.#node.ip('addr add 10.244.0.1/24 dev pod0', 'addr add 192.0.2.1/24 dev eth0', 'route add 11.0.0.0/8 via 192.0.2.2');
    this.#node.sysctl('net.ipv4.ip_forward=1');
    this.#backend.ip('addr add 192.0.2.2/24 dev eth0', 'route add default via 192.0.2.1', 'route add local 11.0.0.0/8 dev lo');
  }

  async startTurnout(...flags: string[]): Promise<void> {
    this.#bpffs = this.#lab.bpffs(this.#node.name);
    const daemon = new Daemon(this.#lab, this.#node, 'turnout');
    const place = turnoutFlags(NODE_NAME, this.#bpffs, this.#node.cgroup);
    const args = [...place, `--master=${await this.#startApiServer()}`, ...flags];
    await daemon.start(TURNOUT.command, args, () => readFileSync(daemon.log, 'utf8').includes(TURNOUT.ready));
  }

  /** How often turnout's programs did this, by its own word. */
  counted(event: string): number {
    const place = [`--ebpf-bpffs-root=${this.#bpffs}`, `--ebpf-cgroup-root=${this.#node.cgroup}`];
    const status = this.#node.run(TURNOUT.command, TURNOUT.script, 'status', '--output=json', ...place);
    return (JSON.parse(status) as { events: Record<string, number> }).events[event] ?? 0;
  }

  /** The real one, in nftables mode; resolves when it has nothing left to do. */
  async startKubeProxy(binary: string): Promise<void> {
    const daemon = new Daemon(this.#lab, this.#node, 'kube-proxy');
    const args = [
      ...[`--master=${await this.#startApiServer()}`, '--proxy-mode=nftables', `--hostname-override=${NODE_NAME}`, '--v=2'],
      ...[
        '--cluster-cidr=10.244.0.0/16',
        '--conntrack-max-per-core=0',
        '--oom-score-adj=0',
        '--feature-gates=WatchListClient=false',
      ],
    ];
    await daemon.start(binary, args, () => true);
    const count = (text: string): number => readFileSync(daemon.log, 'utf8').split(text).length - 1;
    await until(
      'kube-proxy has programmed all Services',
      () => count(`numServices=${this.#size.services} `) > 0 && count('"SyncProxyRules complete" ipFamily="IPv6"') > 0,
      SYNC_LIMIT_MS,
    );
    for (let before = -1; before !== count('\n'); ) {
      before = count('\n');
      await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    }
  }

  /** On the node's loopback; resolves with its URL. */
  async #startApiServer(): Promise<string> {
    const { services, endpointsEach } = this.#size;
    const args = [join(import.meta.dirname, 'list-watch-server.ts'), String(services), String(endpointsEach)];
    const child: ChildProcess = this.#node.spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lab.onClose(() => void child.kill());
    if (!child.stdout) throw new Error('the list/watch server has no output');
    for await (const port of createInterface({ input: child.stdout })) return `http://127.0.0.1:${port}`;
    throw new Error('the list/watch server ended');
  }

  /** Connections of the client: to endpoints by their own address, or to Services. */
  async connect(to: 'endpoints' | 'services', connections: number): Promise<Connects> {
    const { services, endpointsEach } = this.#size;
    const stride = number(podIpOf(1, 0)) - number(podIpOf(0, 0));
    const targets =
      to === 'services'
        ? [clusterIpOf(0), services, 1, 1, SERVICE_PORT]
        : [podIpOf(0, 0), services, stride, endpointsEach, TARGET_PORT];
    const args = [this.#backend.path, TARGET_PORT, ...targets, connections].map(String);
    const script = `echo $$ > '${this.#client.cgroup}/cgroup.procs' && exec nsenter --net='${this.#client.path}' "$@"`;
    const { stdout } = await promisify(execFile)('sh', ['-c', script, 'sh', CRR, ...args]);
    return JSON.parse(stdout) as Connects;
  }
}

const number = (ipv4: string): number => ipv4.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
