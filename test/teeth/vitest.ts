// Runs chosen tests of one file in a checkout and tells what became of each.
import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Report } from './reporter.ts';

/** Code without one of its parts may also loop for ever. */
const LIMIT_MS = 180_000;

/** Process groups of test runs under way; whoever ends this process ends them. */
const running = new Set<number>();
process.on('exit', () => {
  for (const group of running) process.kill(-group, 'SIGKILL');
});

export async function runTests(folder: string, file: string, names: readonly RegExp[]): Promise<Report> {
  const report = join(folder, 'build/report.json');
  rmSync(report, { force: true });
  const project = file.split('/')[1]!; // test/datapath/... is of project datapath
  const output = await vitest(folder, report, [
    ...['run', '--project', project, file, '--reporter=./test/teeth/reporter.ts'],
    ...['--testNamePattern', names.map(({ source }) => `(?:${source})`).join('|')],
  ]);
  try {
    return JSON.parse(readFileSync(report, 'utf8')) as Report;
  } catch {
    return { tests: [], errors: [`vitest ended without a report: ${output.slice(-2000)}`] };
  }
}

function vitest(folder: string, report: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['node_modules/vitest/vitest.mjs', ...args], {
      ...{ cwd: folder, env: { ...process.env, REPORT: report }, stdio: ['ignore', 'pipe', 'pipe'] },
      detached: true, // a process group, so that a test that never ends can be ended with all that it started
    });
    if (child.pid === undefined) return void child.once('error', reject);
    const group = child.pid;
    running.add(group);
    let output = '';
    for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const limit = setTimeout(() => process.kill(-group, 'SIGKILL'), LIMIT_MS);
    child.on('error', reject);
    child.on('close', () => {
      clearTimeout(limit);
      running.delete(group);
      resolve(output);
    });
  });
}
