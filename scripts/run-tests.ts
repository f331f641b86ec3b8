// run-tests.ts CONFORMANCE_FILTER: every tier, then the required conformance units; one summary; fails when anything failed.
// Tiers go on after a failure, so that one run tells everything.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const filter = process.argv[2] ?? '';

if (process.getuid?.() !== 0) {
  console.error('make test needs root: it loads eBPF programs and makes network namespaces. Type: sudo make test');
  process.exit(1);
}

const node = (...args: string[]) => ({ command: process.execPath, args });
const tiers = [
  ...['unit', 'native', 'datapath', 'netns'].map((project) => ({
    name: project,
    ...node('node_modules/vitest/vitest.mjs', 'run', '--project', project),
  })),
  { name: 'conformance', ...node('test/conformance/run.ts') },
];

const results = tiers.map(({ name, command, args }) => {
  console.log(`\n=== ${name}`);
  const startedMs = performance.now();
  const { status } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, MODE: 'ebpf', FILTER: filter, CONFORMANCE_DIR: '' },
  });
  return { name, passed: status === 0, seconds: (performance.now() - startedMs) / 1000 };
});

console.log('\n=== summary');
for (const { name, passed, seconds } of results) console.log(`${passed ? 'ok    ' : 'FAILED'} ${name.padEnd(12)} ${seconds.toFixed(0)} s`);
process.exit(results.every((result) => result.passed) ? 0 : 1);
