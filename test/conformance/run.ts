// make conformance: kube-proxy's cases; MODE=ebpf (default): flows with real packets, MODE=tables: tables and sequences. Variables:
//
//   SOCKET_PATH=tcp|off     turnout's --ebpf-socket-path; flows only
//   TWINS=none|all|LIST     twins to run beside each case, made from the same objects (twins.ts); LIST has commas between:
//                             udp     over UDP instead of TCP (and TCP where there was UDP)   TestNodePorts-iptables#c01s1f01~udp
//                             sctp    over SCTP instead of TCP, by raw INIT packets           TestNodePorts-iptables#c01s1f01~sctp
//                             family  IPv4 and IPv6 changed for each other, everywhere        TestNodePorts-iptables#c01s1f01~family
//                             family~udp, family~sctp  both at once
//   FILTER=REGEX            units to run, by id; '~udp$' has only those twins (make wants $$ for $)
//   CONFORMANCE_DIR=DIR     a folder with other cases
//
// Ends with "N passed, N failed, N skipped"; fails when a unit failed or none ran.
import { resolve } from 'node:path';
import { removeLeftovers } from '../../lab/lab.ts';
import { runCases } from './case.ts';
import { close } from './closing-line.ts';
import { readFlowFiles } from './flow-file.ts';
import { runTables } from './tables/run.ts';
import { parseTwins, placeOf, type TwinName, twinOf } from './twins.ts';
import { type CaseRun, type SocketPath, selectCases, type Unit } from './units.ts';

const AT_ONCE = 3;

function stop(message: string): never {
  console.error(`conformance: ${message}`);
  process.exit(1);
}

interface Options {
  readonly mode: 'ebpf' | 'tables';
  readonly folder: string;
  readonly filter: RegExp;
  readonly socketPath: SocketPath;
  readonly twins: readonly TwinName[];
}

function options(): Options {
  const { MODE, CONFORMANCE_DIR, FILTER = '', SOCKET_PATH, TWINS } = process.env;
  const mode = MODE || 'ebpf';
  if (mode !== 'ebpf' && mode !== 'tables') return stop(`MODE=${mode} is not built yet; there are MODE=ebpf and MODE=tables`);
  if (mode === 'ebpf' && process.getuid?.() !== 0) stop('needs root: it makes network namespaces and loads eBPF programs');
  const socketPath = SOCKET_PATH || 'tcp';
  if (socketPath !== 'tcp' && socketPath !== 'off') stop(`SOCKET_PATH=${socketPath}: there is tcp and off`);
  try {
    return {
      mode,
      folder: resolve(CONFORMANCE_DIR || import.meta.dirname),
      filter: new RegExp(FILTER),
      socketPath,
      twins: parseTwins(TWINS || 'all'),
    };
  } catch (error) {
    return stop((error as Error).message);
  }
}

/** The cases and their twins, those of one place together. */
function selectPlaces({ folder, filter, socketPath, twins }: Options): CaseRun[][] {
  try {
    const files = readFlowFiles(folder);
    const all = [...files, ...twins.flatMap((name) => files.map((file) => twinOf(file, name)))];
    const cases = selectCases(all, filter, socketPath);
    return [...Map.groupBy(cases, ({ flowCase }) => placeOf(flowCase.id)).values()];
  } catch (error) {
    return stop((error as Error).message);
  }
}

const chosen = options();
const { mode, folder, filter } = chosen;
if (mode === 'tables') process.exit(await runTables(folder, filter).catch((error: Error) => stop(error.message)));
const faults = new Map<string, string>();
const skips = new Map<string, string>();

/** Reports what the cases of a place did, whole, so that places side by side stay readable. */
async function runPlace(cases: readonly CaseRun[]): Promise<void> {
  const units = new Map<string, Unit>(cases.flatMap((one) => [...one.units]));
  const lines: string[] = [];
  for (const [id, { skip }] of units) {
    if (skip === '') continue;
    skips.set(id, skip);
    lines.push(`skip  ${id}  (${skip})`);
  }
  const wanted = cases.filter((one) => [...one.units.values()].some(({ skip }) => skip === ''));
  const report = (id: string, fault: string): void => {
    faults.set(id, fault);
    const name = units.get(id)?.flow.name ?? '';
    lines.push(fault === '' ? `ok    ${id}  ${name}` : `FAIL  ${id}  ${name}: ${fault}`);
  };
  try {
    await runCases(wanted, chosen.socketPath, report);
  } catch (error) {
    const left = [...units].filter(([id, { skip }]) => skip === '' && !faults.has(id));
    for (const [id] of left) report(id, `the case could not be run: ${(error as Error).message}`);
  }
  console.log(lines.join('\n'));
}

const queue = selectPlaces(chosen);
removeLeftovers();
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    for (let cases = queue.shift(); cases; cases = queue.shift()) await runPlace(cases);
  }),
);

const failed = [...faults.values()].filter(Boolean).length;
const passed = faults.size - failed;
process.exit(close({ passed, failed, skipped: skips.size }, `FILTER=${filter.source} in ${folder}`));
