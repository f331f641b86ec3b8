// `turnout top`: looks again and again, and shows the difference, until it is told to stop.
import { setTimeout as wait } from 'node:timers/promises';
import { requireFolder, withTables } from './backend/ebpf/pinned-tables.ts';
import { backendKey, serviceKey, TRAFFIC_TABLES, TrafficTotals } from './backend/ebpf/traffic-totals.ts';
import type { TopOptions } from './cli/commands/top.ts';
import { matchesEndpoint, matchesService, type ServiceIdentity } from './cli/endpoint-filter.ts';
import { Screen } from './cli/screen.ts';
import { type TopView, topJson, topLines } from './cli/top-table.ts';
import { sortTraffic, type TrafficSample, trafficRows } from './cli/traffic.ts';
import { StandardOutput } from './standard-output.ts';

/** Lines of a screen that are no rows of the table: head, blank, header, how many are left out. */
const OTHER_LINES = 4;

/** Resolves when the signal aborts, the reader leaves, or one look was asked for. Throws when there is no datapath at the start. */
export async function watchTop(bpffsRoot: string, options: TopOptions, signal: AbortSignal): Promise<void> {
  const stdout = new StandardOutput();
  const quit = new AbortController();
  const stop = AbortSignal.any([signal, stdout.gone, quit.signal]);
  const totals = new TrafficTotals();
  let before = sample(bpffsRoot, options, totals);
  const isLive = process.stdout.isTTY && !options.once && options.output === 'table';
  const screen = isLive ? new Screen(process.stdout, process.stdin, () => quit.abort()) : null;
  const restore = (): void => screen?.close();
  process.once('exit', restore); // whatever ends the process, the terminal is given back
  screen?.open();
  try {
    screen?.show((rows) =>
      topLines({ ...viewOf(before, before, options), intervalSeconds: null, limit: limitOf(options, rows) }),
    );
    while (await hasPassed(options.intervalMs, stop)) {
      const after = sample(bpffsRoot, options, totals);
      const view = viewOf(before, after, options);
      before = after;
      if (screen) screen.show((rows) => topLines({ ...view, limit: limitOf(options, rows) }));
      else stdout.write(options.output === 'json' ? topJson(view) : `${topLines(view).join('\n')}\n${options.once ? '' : '\n'}`);
      if (options.once) break;
    }
  } finally {
    restore();
    process.off('exit', restore);
    await stdout.end();
  }
}

const limitOf = ({ limit }: TopOptions, rows: number): number => Math.min(limit ?? rows, rows - OTHER_LINES);

async function hasPassed(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await wait(ms, undefined, { signal });
    return true;
  } catch {
    return false; // told to stop
  }
}

function viewOf(before: TrafficSample, after: TrafficSample, { what, by, limit }: TopOptions): TopView {
  return {
    timeMs: Date.now(),
    intervalSeconds: Math.round(after.timeMs - before.timeMs) / 1000,
    what,
    by,
    rows: sortTraffic(trafficRows(before, after), by),
    limit,
  };
}

/** The folder is looked up each time: a turnout that starts meanwhile may have brought new tables. */
function sample(bpffsRoot: string, { what, services, backends }: TopOptions, totals: TrafficTotals): TrafficSample {
  const isAsked = (service: ServiceIdentity | null): boolean =>
    services.length === 0 || (service !== null && services.some((one) => matchesService(one, service)));
  const reading = withTables(requireFolder(bpffsRoot), TRAFFIC_TABLES, (opened) => totals.read(opened, what === 'backends'));
  const timeMs = performance.now();
  if (what === 'services') {
    const asked = reading.services.filter(({ service }) => isAsked(service));
    return {
      timeMs,
      owners: asked.map(({ service, traffic }) => ({
        ...{ key: serviceKey(service), service, protocol: service.protocol, backend: null, traffic },
      })),
    };
  }
  const asked = reading.backends.filter(
    ({ backend, service }) =>
      isAsked(service) && (backends.length === 0 || backends.some((one) => matchesEndpoint(one, backend.address, backend.port))),
  );
  return {
    timeMs,
    owners: asked.map(({ backend, service, traffic }) => ({
      ...{ key: backendKey(backend), service, protocol: service?.protocol ?? 'TCP', backend, traffic },
    })),
  };
}
