// make conformance MODE=tables [CONFORMANCE_DIR=dir] [FILTER=regex on unit ids]: the table and sequence files of a folder,
// through turnout's own functions. No packets but those of affinity, which go through the loaded programs.
import { type Counts, close } from '../closing-line.ts';
import { ADAPTERS, NEEDS_ROOT, NOT_YET } from './files.ts';
import { readTableFiles, type TableCase, type TableFile, unitsOf } from './table-file.ts';

/** Why a case is left out, or ''. */
function skipOf(file: TableFile, { featureGates = {} }: TableCase, isRoot: boolean): string {
  if (!Object.hasOwn(ADAPTERS, file.name)) {
    return Object.hasOwn(NOT_YET, file.name) ? (NOT_YET[file.name] ?? '') : `this runner knows no ${file.kind} file of this name`;
  }
  if (NEEDS_ROOT.has(file.name) && !isRoot) return 'needs root: it loads eBPF programs';
  const off = Object.keys(featureGates).filter((gate) => featureGates[gate] === false);
  return off.length > 0
    ? `switches off ${off.join(', ')}, which is on for good in current releases; turnout has no such switch`
    : '';
}

/** [] when the case passes. */
async function faultsOf(file: TableFile, one: TableCase): Promise<string[]> {
  try {
    return (await ADAPTERS[file.name]?.(one)) ?? [];
  } catch (error) {
    return [`the case could not be run: ${(error as Error).message}`];
  }
}

/** Prints a line for each unit, and the closing line. Returns the exit status. Throws naming a file that cannot be read. */
export async function runTables(folder: string, filter: RegExp): Promise<0 | 1> {
  const counts: { -readonly [Key in keyof Counts]: number } = { passed: 0, failed: 0, skipped: 0 };
  for (const file of readTableFiles(folder)) {
    for (const one of file.cases) {
      const units = unitsOf(file, one).filter((id) => filter.test(id));
      if (units.length === 0) continue;
      const skip = skipOf(file, one, process.getuid?.() === 0);
      if (skip !== '') {
        counts.skipped += units.length;
        for (const id of units) console.log(`skip  ${id}  (${skip})`);
        continue;
      }
      const faults = await faultsOf(file, one);
      counts[faults.length === 0 ? 'passed' : 'failed'] += units.length;
      const outcome = faults.length === 0 ? '' : `: ${faults.join('; ')}`;
      for (const id of units) console.log(`${outcome === '' ? 'ok  ' : 'FAIL'}  ${id}  ${one.name}${outcome}`);
    }
  }
  return close(counts, `FILTER=${filter.source} in ${folder}`);
}
