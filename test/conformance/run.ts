// make conformance MODE=ebpf [CONFORMANCE_DIR=dir] [FILTER=regex on unit ids]: kube-proxy's flow cases with real packets.
// Ends with "N passed, N failed, N skipped"; fails when a unit failed or none ran.
import { resolve } from 'node:path';
import { removeLeftovers } from '../../lab/lab.ts';
import { runCase } from './case.ts';
import { close } from './closing-line.ts';
import { readFlowFiles } from './flow-file.ts';
import { runTables } from './tables/run.ts';
import { type CaseRun, selectCases } from './units.ts';

const AT_ONCE = 3;

function stop(message: string): never {
  console.error(`conformance: ${message}`);
  process.exit(1);
}

function options(): { mode: string; folder: string; filter: RegExp } {
  const { MODE: mode = 'ebpf', CONFORMANCE_DIR: folder = '', FILTER: filter = '' } = process.env;
  if (mode !== 'ebpf' && mode !== 'tables') stop(`MODE=${mode} is not built yet; there are MODE=ebpf and MODE=tables`);
  if (mode === 'ebpf' && process.getuid?.() !== 0) stop('needs root: it makes network namespaces and loads eBPF programs');
  try {
    return { mode, folder: resolve(folder || import.meta.dirname), filter: new RegExp(filter) };
  } catch (error) {
    return stop(`FILTER: ${(error as Error).message}`);
  }
}

const { mode, folder, filter } = options();
if (mode === 'tables') process.exit(await runTables(folder, filter).catch((error: Error) => stop(error.message)));
let cases: CaseRun[] = [];
try {
  cases = selectCases(readFlowFiles(folder), filter);
} catch (error) {
  stop((error as Error).message);
}

const faults = new Map<string, string>();
const skips = new Map<string, string>();

/** Reports what a case did, whole, so that cases side by side stay readable. */
async function runOne(run: CaseRun): Promise<void> {
  const lines: string[] = [];
  for (const [id, { skip }] of run.units) {
    if (skip === '') continue;
    skips.set(id, skip);
    lines.push(`skip  ${id}  (${skip})`);
  }
  const wanted = [...run.units.values()].filter(({ skip }) => skip === '').map(({ flow }) => flow);
  const done = new Set<string>();
  const report = (id: string, fault: string): void => {
    done.add(id);
    faults.set(id, fault);
    const name = run.units.get(id)?.flow.name ?? '';
    lines.push(fault === '' ? `ok    ${id}  ${name}` : `FAIL  ${id}  ${name}: ${fault}`);
  };
  try {
    if (wanted.length > 0) await runCase(run, report);
  } catch (error) {
    for (const { id } of wanted) if (!done.has(id)) report(id, `the case could not be run: ${(error as Error).message}`);
  }
  console.log(lines.join('\n'));
}

removeLeftovers();
const queue = [...cases];
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    for (let run = queue.shift(); run; run = queue.shift()) await runOne(run);
  }),
);

const failed = [...faults.values()].filter(Boolean).length;
const passed = faults.size - failed;
process.exit(close({ passed, failed, skipped: skips.size }, `FILTER=${filter.source} in ${folder}`));
