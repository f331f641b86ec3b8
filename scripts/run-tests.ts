// run-tests.ts CONFORMANCE_FILTER: every tier, then the required conformance units, then one summary.
// Tiers go on after a failure, so that one run tells everything. Fails when anything failed, or a tier ran no test at all.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

interface Result {
  readonly tier: string;
  readonly passed: number;
  readonly failed: number;
  readonly seconds: number;
  readonly isGood: boolean;
}

const root = join(import.meta.dirname, '..');
const reports = join(root, 'build/test');
const conformanceFilter = process.argv[2] ?? '';

if (process.getuid?.() !== 0) {
  console.error('make test needs root: it loads eBPF programs and makes network namespaces. Type: sudo make test');
  process.exit(1);
}

/** Runs Node with the output passed on; resolves with the exit status and the end of what it printed. */
function runNode(args: string[], variables: NodeJS.ProcessEnv = {}): Promise<{ status: number; tail: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd: root,
      env: { ...process.env, ...variables },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let tail = '';
    child.stdout.on('data', (chunk: Buffer) => {
      process.stdout.write(chunk);
      tail = (tail + chunk.toString()).slice(-2000);
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ status: code ?? 1, tail }));
  });
}

/** Passed and failed tests of one vitest project, from the JSON report that it writes beside what it prints. */
async function vitest(project: string): Promise<Omit<Result, 'tier' | 'seconds'>> {
  const report = join(reports, `${project}-${process.pid}.json`);
  const { status } = await runNode(
    [
      ...['node_modules/vitest/vitest.mjs', 'run', '--project', project],
      ...['--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
    ],
    process.stdout.isTTY ? { FORCE_COLOR: '1' } : {},
  );
  let counts = { numPassedTests: 0, numFailedTests: 0, numFailedTestSuites: 0 };
  try {
    counts = JSON.parse(readFileSync(report, 'utf8'));
    rmSync(report);
  } catch {
    // It did not come as far as a report: the exit status tells.
  }
  const isGood = status === 0 && counts.numPassedTests > 0;
  // A file that does not even load has no failed test in it, but has failed.
  const failed = counts.numFailedTests || (isGood ? 0 : 1);
  return { passed: counts.numPassedTests, failed, isGood };
}

/** The conformance runner ends with "N passed, N failed, N skipped". */
async function conformance(mode: string, filter: string): Promise<Omit<Result, 'tier' | 'seconds'>> {
  const variables = { MODE: mode, FILTER: filter, CONFORMANCE_DIR: '', SOCKET_PATH: '', TWINS: 'none' };
  const { status, tail } = await runNode(['test/conformance/run.ts'], variables);
  const [, passed = '0', failed = '1'] = /(\d+) passed, (\d+) failed[^\n]*\s*$/.exec(tail) ?? [];
  return { passed: Number(passed), failed: Number(failed), isGood: status === 0 && Number(passed) > 0 };
}

mkdirSync(reports, { recursive: true });
const results: Result[] = [];
const tiers: Readonly<Record<string, () => Promise<Omit<Result, 'tier' | 'seconds'>>>> = {
  unit: () => vitest('unit'),
  tables: () => conformance('tables', ''),
  native: () => vitest('native'),
  datapath: () => vitest('datapath'),
  netns: () => vitest('netns'),
  conformance: () => conformance('ebpf', conformanceFilter),
};
for (const [tier, run] of Object.entries(tiers)) {
  console.log(`\n=== ${tier}`);
  const startedMs = performance.now();
  const outcome = await run();
  results.push({ tier, ...outcome, seconds: (performance.now() - startedMs) / 1000 });
}

console.log('\n=== summary');
for (const { tier, passed, failed, seconds, isGood } of results) {
  console.log(
    `${isGood ? 'ok    ' : 'FAILED'}  ${tier.padEnd(12)} ${passed} passed, ${failed} failed in ${seconds.toFixed(0)} s`,
  );
}
const total = (key: 'passed' | 'failed') => results.reduce((sum, result) => sum + result[key], 0);
console.log(`\n${total('passed')} passed, ${total('failed')} failed`);
process.exit(results.every((result) => result.isGood) ? 0 : 1);
