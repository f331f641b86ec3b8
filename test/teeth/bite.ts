// Does a part have teeth: do its tests fail without it, each of them, and for the reason that it is missing?
import type { Checkout } from './checkout.ts';
import type { Part } from './part.ts';
import type { Report } from './reporter.ts';
import { runTests } from './vitest.ts';

export interface Bite {
  readonly part: Part;
  /** Null: every named test failed. Otherwise why this proves nothing. */
  readonly why: string | null;
  readonly tests: number;
  readonly seconds: number;
}

export async function bite(part: Part, checkout: Checkout): Promise<Bite> {
  const startedMs = performance.now();
  let tests = 0;
  let why: string | null = null;
  try {
    await checkout.compile(part.changes);
    for (const [file, names] of Map.groupBy(part.noticed, (noticed) => noticed.file)) {
      const patterns = names.map(({ name }) => name);
      const report = await runTests(checkout.folder, file, patterns);
      tests += report.tests.length;
      why ??= whyNot(report, patterns, part.failsBy ?? 'assertion');
    }
  } catch (error) {
    why = (error as Error).message;
  }
  return { part, why, tests, seconds: (performance.now() - startedMs) / 1000 };
}

export function whyNot(report: Report, patterns: readonly RegExp[], failsBy: 'assertion' | 'any'): string | null {
  if (report.errors.length > 0) return `not by a test: ${report.errors[0]}`;
  for (const pattern of patterns) {
    if (!report.tests.some(({ name }) => pattern.test(name))) return `no test has a name like ${pattern.source}`;
  }
  const passed = report.tests.filter(({ state }) => state === 'passed');
  if (passed.length > 0)
    return `${passed.length} of ${report.tests.length} pass without it: ${passed.map(({ name }) => name).join('; ')}`;
  const broken = report.tests.find(({ by }) => by === 'error');
  if (broken && failsBy === 'assertion') return `not by an expectation: ${broken.name}: ${broken.message}`;
  return null;
}

/** With the code as it is, every named test passes; once for each file. Null, or what is wrong with it. */
export async function wrongAsItIs(file: string, patterns: readonly RegExp[], checkout: Checkout): Promise<string | null> {
  await checkout.compile([]);
  const report = await runTests(checkout.folder, file, patterns);
  const failed = report.tests.find(({ state }) => state === 'failed');
  if (report.errors.length > 0) return `${file}: ${report.errors[0]}`;
  return failed ? `${file}: ${failed.name}: ${failed.message}` : null;
}
