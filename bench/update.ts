// One EndpointSlice event on the watch to the new list visible in the pinned map.
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Lab } from '../lab/lab.ts';
import type { BenchOptions, BenchResult, Row } from './result.ts';

const SIZES = [10, 10_000];
const ENDPOINTS_EACH = 10;
const CHANGES = 1000;

/** What update-child.ts prints. */
interface Latencies {
  readonly p50Us: number;
  readonly p99Us: number;
}

/** Server, proxy and watcher of the map are in one namespace; the server and the watcher are one process, so one clock is enough. */
async function measure(lab: Lab, name: string, services: number): Promise<Latencies> {
  const node = lab.namespace(name, lab.cgroup(name));
  const script = join(import.meta.dirname, 'update-child.ts');
  const settings = [services, ENDPOINTS_EACH, CHANGES].map(String);
  const child = node.spawn(process.execPath, [script, ...settings, lab.bpffs(name), node.cgroup], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  lab.onClose(() => void child.kill('SIGKILL'));
  if (!child.stdout) throw new Error('no output');
  for await (const line of createInterface({ input: child.stdout })) return JSON.parse(line) as Latencies;
  throw new Error('the measuring process ended without a result');
}

export async function run({ rounds, progress }: BenchOptions): Promise<BenchResult> {
  const results = SIZES.map((services) => ({ services, latencies: [] as Latencies[] }));
  for (let round = 1; round <= rounds; round++) {
    const lab = new Lab();
    try {
      for (const { services, latencies } of results) latencies.push(await measure(lab, `upd${services}`, services));
    } finally {
      await lab.close();
    }
    progress(`round ${round} of ${rounds}`);
  }
  const rows = results.map(
    ({ services, latencies }): Row => ({
      labels: { services, endpoints: services * ENDPOINTS_EACH, changes: CHANGES },
      measures: {
        p50: { unit: 'µs', values: latencies.map(({ p50Us }) => p50Us) },
        p99: { unit: 'µs', values: latencies.map(({ p99Us }) => p99Us) },
      },
    }),
  );
  return {
    tables: [{ title: 'One EndpointSlice event written to the watch, to the new list visible in the map', rows }],
    notes: [
      `Each round: ${CHANGES} changes one after the other, each of another Service, one endpoint more or less.`,
      'minSyncPeriod is 0 here; with the default of 1 s a change after a quiet second is as fast, the next waits for the second to end.',
    ],
  };
}
