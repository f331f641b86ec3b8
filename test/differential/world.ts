// One of the two worlds: a network, an API server that both kinds of proxy understand, and the proxy.
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { Daemon } from '../../lab/daemon.ts';
import type { Lab } from '../../lab/lab.ts';
import { run } from '../../lab/shell.ts';
import { Turnout, until } from '../../lab/turnout.ts';
import { CLUSTER_CIDR, NODE_NAME, NODE_PORT_ADDRESSES } from './addresses.ts';
import { markerEvents, markerRows } from './marker.ts';
import { Network } from './network.ts';
import { type ApiEvent, startEvents } from './objects.ts';

const SYNC_LIMIT_MS = 30_000;
// Flows of probes end early, so that later rounds meet none of them.
const UDP_TIMEOUT = '20s';

export type ReferenceMode = 'nftables' | 'iptables';
export const REFERENCE_MODES: readonly ReferenceMode[] = ['nftables', 'iptables'];

export class World {
  readonly name: string;
  readonly network: Network;
  readonly #lab: Lab;
  readonly #folder: string;
  #input: ChildProcess['stdin'] = null;
  #answers: AsyncIterator<string> | null = null;
  #marker = 0;
  #turnout: Turnout | null = null;

  constructor(lab: Lab, name: string) {
    this.#lab = lab;
    this.name = name;
    this.network = new Network(lab, name);
    this.#folder = join(lab.folder, name);
    mkdirSync(this.#folder);
  }

  /** Real kube-proxy. */
  async startReference(mode: ReferenceMode): Promise<void> {
    const kubeconfig = await this.#serve(mode, '');
    this.network.givesEperm = true;
    const config = {
      apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
      kind: 'KubeProxyConfiguration',
      mode,
      hostnameOverride: NODE_NAME,
      clusterCIDR: CLUSTER_CIDR,
      detectLocalMode: 'ClusterCIDR',
      nodePortAddresses: NODE_PORT_ADDRESSES.split(','),
      clientConnection: { kubeconfig },
      oomScoreAdj: 0,
      conntrack: { maxPerCore: 0, udpTimeout: UDP_TIMEOUT, udpStreamTimeout: UDP_TIMEOUT },
      iptables: { minSyncPeriod: '1ms', syncPeriod: '30s' },
      nftables: { minSyncPeriod: '1ms', syncPeriod: '30s' },
      featureGates: { WatchListClient: false },
    };
    const path = join(this.#folder, 'kube-proxy.json');
    writeFileSync(path, JSON.stringify(config, null, 1));
    const daemon = new Daemon(this.#lab, this.network.node, 'kube-proxy');
    await daemon.start(kubeProxyBinary(), [`--config=${path}`, '--v=2'], () => this.#hasMarker(''));
  }

  async startTurnout(flags: readonly string[]): Promise<void> {
    const turnout = new Turnout({
      lab: this.#lab,
      namespace: this.network.node,
      nodeName: NODE_NAME,
      flags: [
        ...[`--cluster-cidr=${CLUSTER_CIDR}`, `--nodeport-addresses=${NODE_PORT_ADDRESSES}`],
        ...[`--conntrack-udp-timeout=${UDP_TIMEOUT}`, `--conntrack-udp-timeout-stream=${UDP_TIMEOUT}`],
        ...['--ebpf-min-sync-period=0s', '--ebpf-rejects-per-second=0'],
        ...flags,
      ],
    });
    this.#turnout = turnout;
    turnout.useApiServer(await this.#serve('ebpf', turnout.bpffs));
    await turnout.start();
    await until(`turnout of ${this.name} has the marker`, () => this.#hasMarker(''), SYNC_LIMIT_MS);
  }

  /** What turnout has dropped since its start, by reason, as JSON. */
  drops(): string {
    const { drops = {} } = JSON.parse(this.#turnout?.run('status', '--output=json') ?? '{}') as {
      drops?: Record<string, number>;
    };
    return JSON.stringify(Object.fromEntries(Object.entries(drops).filter(([, count]) => count > 0)));
  }

  /** Starts the API server; returns the path of a kubeconfig for it. */
  async #serve(kind: ReferenceMode | 'ebpf', bpffs: string): Promise<string> {
    const args = [join(import.meta.dirname, 'node-child.ts'), kind, bpffs];
    const child = this.network.node.spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lab.onClose(() => void child.kill());
    const lines: Interface = createInterface({ input: child.stdout! });
    this.#answers = lines[Symbol.asyncIterator]();
    this.#input = child.stdin;
    child.stdin?.on('error', () => {}); // its end is noticed where its answer is awaited
    const server = `http://127.0.0.1:${await this.#answer()}`;
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'world', cluster: { server } }],
      users: [{ name: 'proxy', user: {} }],
      contexts: [{ name: 'world', context: { cluster: 'world', user: 'proxy' } }],
      'current-context': 'world',
    };
    const path = join(this.#folder, 'kubeconfig.json');
    writeFileSync(path, JSON.stringify(config, null, 1));
    await this.tell([...startEvents(), ...markerEvents(0)]);
    return path;
  }

  async #answer(): Promise<string> {
    const { value, done } = await this.#answers!.next();
    if (done) throw new Error(`the API server of ${this.name} ended`);
    return value;
  }

  async #ask(request: readonly ApiEvent[] | { readonly read: true }): Promise<string[]> {
    this.#input?.write(`${JSON.stringify(request)}\n`);
    return JSON.parse(await this.#answer()) as string[];
  }

  async tell(events: readonly ApiEvent[]): Promise<void> {
    await this.#ask(events);
  }

  async #hasMarker(zone: string): Promise<boolean> {
    return String(await this.#ask({ read: true })) === String(markerRows(this.#marker, zone));
  }

  /**
   * Resolves when everything told so far is in force. Twice: the first marker may become visible while the pass that brings it is
   * still at work (or cleans up behind it); when the second one is there, that pass has ended.
   */
  async settle(zone: string): Promise<void> {
    for (let i = 0; i < 2; i++) {
      await this.tell(markerEvents(++this.#marker));
      await until(`${this.name} has marker ${this.#marker}`, () => this.#hasMarker(zone), SYNC_LIMIT_MS);
    }
  }
}

function kubeProxyBinary(): string {
  const folder = run(join(import.meta.dirname, '../../scripts/kube/build.sh'), '--print-folder').trim();
  const binary = join(folder, 'kube-proxy');
  if (!existsSync(binary)) throw new Error(`${binary} is missing: type make kube`);
  return binary;
}
