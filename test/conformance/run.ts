// make conformance MODE=ebpf [CONFORMANCE_DIR=dir] [FILTER=regex on unit ids]: kube-proxy's flow cases with real packets.
// Ends with "N passed, N failed, N skipped"; fails when a unit failed or none ran.
import { resolve } from 'node:path';
import { removeLeftovers } from '../../lab/lab.ts';
import { runCase } from './case.ts';
import { readFlowFiles } from './flow-file.ts';
import { type CaseRun, selectCases } from './units.ts';

const AT_ONCE = 3;

function stop(message: string): never {
  console.error(`conformance: ${message}`);
  process.exit(1);
}

function options(): { folder: string; filter: RegExp } {
  const { MODE: mode = 'ebpf', CONFORMANCE_DIR: folder = '', FILTER: filter = '' } = process.env;
  if (mode !== 'ebpf') stop(`MODE=${mode} is not built yet; there is MODE=ebpf`);
  if (process.getuid?.() !== 0) stop('needs root: it makes network namespaces and loads eBPF programs');
  try {
    return { folder: resolve(folder || import.meta.dirname), filter: new RegExp(filter) };
  } catch (error) {
    return stop(`FILTER: ${(error as Error).message}`);
  }
}

const { folder, filter } = options();
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
if (faults.size === 0) console.error(`conformance: no unit ran (FILTER=${filter.source} in ${folder})`);
console.log(`${passed} passed, ${failed} failed, ${skips.size} skipped`);
process.exit(failed > 0 || faults.size === 0 ? 1 : 0);
