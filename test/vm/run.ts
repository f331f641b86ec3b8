// run.ts [PART OF A PATH]...: test files in one plain Node process, on this kernel. Meant for the guests of `make test-vm`, works anywhere.
// Ends with "N passed, N failed"; exits with 1 when anything failed, or nothing ran. ALL=1 leaves no test out.
import { globSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { availableParallelism, release } from 'node:os';
import { basename, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';

const TEST_TIMEOUT_MS = 300_000; // emulation is 25 to 50 times slower, and what hangs should still be told from what is slow
process.env['LAB_READY_MS'] ??= '180000'; // the lab's own limit, likewise
const SHOWN_CHARACTERS = 2000; // of a message: it may hold all that a verifier said
const SHOWN = 5; // failures of a file: one cause often fails all of it
const root = join(import.meta.dirname, '../..');
const shim = pathToFileURL(join(import.meta.dirname, 'vitest-shim.ts')).href;

// Hundreds of loads: as long as all the rest. Each value of each switch alone is tried anyway.
const LEFT_OUT = /verifier accepts > .* under every combination/;

// Tests import 'vitest' and get the shim, which alone gets the real one.
registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'vitest' && context.parentURL !== shim ? { url: shim, shortCircuit: true } : next(specifier, context),
});

/** How programs attach comes first, then real packets, on a kernel that nobody has asked for conntrack yet, then test/datapath. */
function testFiles(parts: readonly string[]): string[] {
  const datapath = globSync('test/datapath/**/*.test.ts', { cwd: root }).sort();
  const files = [...['attach', 'real-packets', 'sctp', 'vlan'].map((name) => `test/vm/${name}.test.ts`), ...datapath];
  return files.filter((file) => parts.length === 0 || parts.some((part) => file.includes(part)));
}

function describeError(error: unknown): string {
  if (!(error instanceof Error)) return inspect(error);
  const { actual, expected, detail, status, signal } = error as Error &
    Record<'actual' | 'expected' | 'status' | 'signal', unknown> & {
      detail?: string;
    };
  const compared =
    actual === undefined && expected === undefined
      ? []
      : [
          `expected: ${inspect(expected, { depth: 8, maxStringLength: 500 })}`,
          `actual:   ${inspect(actual, { depth: 8, maxStringLength: 500 })}`,
        ];
  // Where in a test: frames of packages say nothing.
  const frames = (error.stack ?? '').split('\n').filter((line) => line.includes('file://') && !line.includes('node_modules'));
  const log = detail ? detail.trimEnd().split('\n').slice(-12) : []; // the verifier's last words
  const ended = status === undefined ? [] : [`exit status ${status}, signal ${signal}`]; // of a child
  const message = error.message.length > SHOWN_CHARACTERS ? `... ${error.message.slice(-SHOWN_CHARACTERS)}` : error.message;
  return [message, ...ended, ...compared, ...log, ...frames.slice(0, 3).map((line) => line.trim())]
    .join('\n')
    .replace(/^/gm, '      ');
}

const { collect, run } = (await import(shim)) as typeof import('./vitest-shim.ts');
const total = { passed: 0, failed: 0, leftOut: 0 };
console.log(`kernel ${release()}, ${availableParallelism()} processors, node ${process.version}`);

for (const file of testFiles(process.argv.slice(2))) {
  const startMs = performance.now();
  const count = { passed: 0, failed: 0, leftOut: 0 };
  const failures: string[] = [];
  try {
    const suite = await collect(() => import(pathToFileURL(join(root, file)).href));
    const isLeftOut = (title: string): boolean => process.env['ALL'] !== '1' && LEFT_OUT.test(title);
    for await (const result of run(suite, { timeoutMs: TEST_TIMEOUT_MS, isLeftOut })) {
      if (result.error !== undefined) failures.push(`    FAILED ${result.title}\n${describeError(result.error)}`);
      count[result.isLeftOut ? 'leftOut' : result.error === undefined ? 'passed' : 'failed']++;
    }
  } catch (error) {
    failures.push(`    FAILED to load\n${describeError(error)}`);
    count.failed++;
  }
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  const more = count.leftOut > 0 ? `, ${count.leftOut} left out` : '';
  const name = relative('test', file).replace(basename(file), basename(file, '.test.ts'));
  console.log(
    `${failures.length > 0 ? 'FAILED' : 'ok    '} ${name.padEnd(24)} ${count.passed} passed, ${count.failed} failed${more} in ${seconds} s`,
  );
  for (const failure of failures.slice(0, SHOWN)) console.log(failure);
  if (failures.length > SHOWN) console.log(`    and ${failures.length - SHOWN} more`);
  for (const key of ['passed', 'failed', 'leftOut'] as const) total[key] += count[key];
}

if (total.leftOut > 0)
  console.log(`${total.leftOut} left out: loads under every combination of switches. ALL=1 tries them here too`);
console.log(`\n${release()}: ${total.passed} passed, ${total.failed} failed`);
process.exit(total.failed === 0 && total.passed > 0 ? 0 : 1);
