// From the start of the process to its last map write, and the memory that took: from manifests, from an API server, and from
// manifests again with everything in the pinned tables already (a restart).
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { NODE_NAME, nodeObject, type Size, serviceOf, sliceOf } from './objects.ts';
import { TURNOUT, turnoutFlags } from './release.ts';
import type { BenchOptions, BenchResult, Row } from './result.ts';
import { type Start, StartedProxy } from './started-proxy.ts';

const SIZES: readonly Size[] = [
  { services: 1000, endpointsEach: 10 },
  { services: 10_000, endpointsEach: 10 },
];
const SERVICES_A_FILE = 100;
/** Room for the larger size, in each case, so that tables are not what differs. */
const TABLES = ['--ebpf-service-table-size=65536', '--ebpf-backend-table-size=262144'];

const CASES = ['manifests', 'API server', 'restart'] as const;
type Case = (typeof CASES)[number];

function writeManifests(folder: string, { services, endpointsEach }: Size): void {
  mkdirSync(folder);
  writeFileSync(join(folder, 'node.json'), JSON.stringify(nodeObject));
  for (let first = 0; first < services; first += SERVICES_A_FILE) {
    const numbers = Array.from({ length: Math.min(SERVICES_A_FILE, services - first) }, (_, i) => first + i);
    const items = numbers.flatMap((n) => [serviceOf(n), sliceOf(n, endpointsEach)]);
    writeFileSync(join(folder, `services-${first}.json`), JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  }
}

/** A list/watch server on the namespace's loopback; resolves with its URL. It ends with the lab. */
async function startServer(lab: Lab, namespace: Namespace, { services, endpointsEach }: Size): Promise<string> {
  const script = join(import.meta.dirname, 'list-watch-server.ts');
  const child = namespace.spawn(process.execPath, [script, String(services), String(endpointsEach)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  lab.onClose(() => void child.kill());
  if (!child.stdout) throw new Error('the list/watch server has no output');
  for await (const port of createInterface({ input: child.stdout })) return `http://127.0.0.1:${port}`;
  throw new Error('the list/watch server ended');
}

/** One size: its own namespace, manifests and server. */
class Site {
  readonly #lab: Lab;
  readonly #node: Namespace;
  readonly #manifests: string;
  readonly #server: string;
  #tries = 0;

  private constructor(lab: Lab, node: Namespace, manifests: string, server: string) {
    this.#lab = lab;
    this.#node = node;
    this.#manifests = manifests;
    this.#server = server;
  }

  static async make(lab: Lab, size: Size): Promise<Site> {
    const name = `sync${size.services}`;
    const node = lab.namespace(name, lab.cgroup(name));
    const manifests = join(lab.folder, `manifests-${name}`);
    writeManifests(manifests, size);
    return new Site(lab, node, manifests, await startServer(lab, node, size));
  }

  /** A restart starts on the tables of a run that is not timed; every other case on none. */
  async time(which: Case): Promise<Start> {
    const bpffs = this.#lab.bpffs(`${this.#node.name}-${this.#tries++}`);
    const flags = [...turnoutFlags(NODE_NAME, bpffs, this.#node.cgroup), ...TABLES];
    const manifests = [...flags, `--manifests=${this.#manifests}`];
    if (which === 'restart') await this.#once(manifests);
    const start = await this.#once(
      which === 'API server' ? [...flags, `--master=${this.#server}`, '--kube-api-qps=-1'] : manifests,
    );
    this.#node.run(
      TURNOUT.command,
      TURNOUT.script,
      'cleanup',
      `--ebpf-bpffs-root=${bpffs}`,
      `--ebpf-cgroup-root=${this.#node.cgroup}`,
    );
    return start;
  }

  async #once(flags: readonly string[]): Promise<Start> {
    const proxy = new StartedProxy(this.#node, TURNOUT.command, flags);
    try {
      return await proxy.ready(TURNOUT.ready);
    } finally {
      await proxy.stop();
    }
  }
}

export async function run({ rounds, progress }: BenchOptions): Promise<BenchResult> {
  const lab = new Lab();
  try {
    const cases = [];
    for (const size of SIZES) {
      progress(`making ${size.services} Services with ${size.endpointsEach} endpoints each`);
      const site = await Site.make(lab, size);
      for (const which of CASES) cases.push({ size, site, which, starts: [] as Start[] });
    }
    for (let round = 1; round <= rounds; round++) {
      for (const one of cases) one.starts.push(await one.site.time(one.which));
      progress(`round ${round} of ${rounds}`);
    }
    const rows = cases.map(
      ({ size: { services, endpointsEach }, which, starts }): Row => ({
        labels: { services, endpoints: services * endpointsEach, from: which },
        measures: {
          ready: { unit: 'ms', values: starts.map(({ readyMs }) => readyMs) },
          memory: { unit: 'MiB', values: starts.map(({ peakKiB }) => peakKiB / 1024) },
        },
      }),
    );
    return {
      tables: [{ title: 'Start of the process to the last map write; peak resident memory (VmHWM)', rows }],
      notes: [
        'The bundle of a release, started by Node directly. Manifests lie in files of 100 Services on a warm page cache.',
        'The API server is a list/watch server with ready-made bodies, so the time is the proxy’s; a real one adds its own.',
      ],
    };
  } finally {
    await lab.close();
  }
}
