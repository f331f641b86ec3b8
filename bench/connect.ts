// make bench WHAT=connect: how long connect() takes through each path, from SYN to the SYN and ACK that answer it.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Lab } from '../lab/lab.ts';
import { type Connects, Site } from './connect-site.ts';
import { type BenchOptions, type BenchResult, type Measure, type Row, ratio } from './result.ts';

const SERVICES = [1, 10_000];
const ENDPOINTS_EACH = 10;
/** In a round, each contestant. Few enough that ended flows, which stay for ten seconds, fill no table of the default size. */
const CONNECTIONS = 10_000;

interface Contestant {
  readonly path: string;
  readonly to: 'endpoints' | 'services';
  /** What turnout counts once for each connection that took this path; absent: it is not turnout. */
  readonly event?: string;
  start(site: Site): Promise<void>;
}

const OURS: readonly Contestant[] = [
  { path: 'direct', to: 'endpoints', start: async () => {} },
  { path: 'socket path', to: 'services', event: 'socket_translated', start: (site) => site.startTurnout() },
  { path: 'packet path', to: 'services', event: 'flow_new', start: (site) => site.startTurnout('--ebpf-socket-path=off') },
];

/** Where `make test-cluster` builds it; '' when it has not. */
function kubeProxyBinary(): string {
  const script = join(import.meta.dirname, '../scripts/kube/build.sh');
  if (!existsSync(script)) return '';
  const path = join(execFileSync(script, ['--print-folder'], { encoding: 'utf8' }).trim(), 'kube-proxy');
  return existsSync(path) ? path : '';
}

interface Cell {
  readonly contestant: Contestant;
  readonly services: number;
  readonly site: Site;
  readonly connects: Connects[];
}

const measureOf = (cell: Cell, unit: string, of: (connects: Connects) => number): Measure => ({
  unit,
  values: cell.connects.map(of),
});

/**
 * Why the numbers are not those of the path; '' when the connections took it. A few may reuse a client port whose last flow has
 * not ended, because the server's FIN came after the client's RST; they make no new flow.
 */
function fault({ contestant: { event }, site, connects }: Cell): string {
  if (!event) return '';
  const made = connects.reduce((sum, one) => sum + one.made, 0);
  const counted = site.counted(event);
  return counted > made * 0.999 ? '' : `${made} connections, but ${event} is ${counted}`;
}

function rowOf(cell: Cell, direct: Cell, kubeProxy: Cell | undefined): Row {
  const p50 = (one: Cell): Measure => measureOf(one, 'µs', ({ p50Ns }) => p50Ns / 1000);
  const p99 = (one: Cell): Measure => measureOf(one, 'µs', ({ p99Ns }) => p99Ns / 1000);
  const invalid = fault(cell);
  return {
    ...(invalid && { invalid }),
    labels: { services: cell.services, path: cell.contestant.path },
    measures: {
      p50: p50(cell),
      p99: p99(cell),
      connections: measureOf(cell, '/s', ({ perSecond }) => perSecond),
      'p50, to direct': ratio(p50(cell), p50(direct)),
      'p99, to direct': ratio(p99(cell), p99(direct)),
      ...(kubeProxy && { 'p50, to kube-proxy': ratio(p50(cell), p50(kubeProxy)) }),
    },
  };
}

export async function run({ rounds, progress }: BenchOptions): Promise<BenchResult> {
  const kubeProxy = kubeProxyBinary();
  const nftables: Contestant = { path: 'kube-proxy nftables', to: 'services', start: (site) => site.startKubeProxy(kubeProxy) };
  const contestants = kubeProxy ? [...OURS, nftables] : OURS;
  const lab = new Lab();
  try {
    const cells: Cell[] = [];
    for (const services of SERVICES) {
      for (const [index, contestant] of contestants.entries()) {
        progress(`connect: ${services} Services, ${contestant.path}: starting`);
        const site = new Site(lab, `${index}x${services}`, { services, endpointsEach: ENDPOINTS_EACH });
        await contestant.start(site);
        cells.push({ contestant, services, site, connects: [] });
      }
    }
    for (let round = 0; round < rounds; round++) {
      progress(`connect: round ${round + 1} of ${rounds}`);
      for (const cell of cells) cell.connects.push(await cell.site.connect(cell.contestant.to, CONNECTIONS));
    }
    const same = (cell: Cell, path: string): Cell | undefined =>
      cells.find((one) => one.services === cell.services && one.contestant.path === path);
    const rows = cells.map((cell) => rowOf(cell, same(cell, OURS[0]!.path)!, same(cell, nftables.path)));
    return {
      tables: [{ title: 'connect: TCP connect() of a pod, one after the other', rows }],
      notes: [
        `${CONNECTIONS} connections a round to random Services, closed by RST; client - node - backend are namespaces joined by veth.`,
        `${ENDPOINTS_EACH} endpoints a Service. Direct: to a random endpoint through a node without any Service. All take turns in each round.`,
        'The client has the last CPU; the server is on the first and looks for connections once a millisecond, so nothing waits for it.',
        kubeProxy
          ? 'kube-proxy is v1.36.3 in nftables mode, fed by a list/watch server, measured after it had nothing left to do.'
          : 'kube-proxy was left out because it is not built: scripts/kube/build.sh builds it once (some minutes, 3 GB of Go caches).',
      ],
    };
  } finally {
    await lab.close();
  }
}
