// For vitest: writes what became of each test into the file that REPORT names, with how it failed.
import { writeFileSync } from 'node:fs';
import type { Reporter, TestCase, TestModule } from 'vitest/node';

export interface Outcome {
  readonly name: string; // describes and title, with ' > ' between them
  readonly state: 'passed' | 'failed';
  /** Why it failed: an expectation that does not hold, or something else. */
  readonly by: 'assertion' | 'error' | null;
  readonly message: string;
}

export interface Report {
  readonly tests: readonly Outcome[];
  /** Errors of files and hooks: no test of these has run. */
  readonly errors: readonly string[];
}

type Failure = NonNullable<ReturnType<TestCase['result']>['errors']>[number];

/** Chai's; of a matcher of our own (expect.extend), which vitest throws with the context of the expectation; or until()'s, of the lab. */
const isAssertion = (error: Failure): boolean =>
  error.name === 'AssertionError' || '__vitest_error_context__' in error || error.message.startsWith('not within ');

function outcomeOf(test: TestCase): Outcome | null {
  const { state, errors } = test.result();
  if (state !== 'passed' && state !== 'failed') return null;
  const failures = errors ?? [];
  const by = state === 'passed' ? null : failures.every(isAssertion) ? 'assertion' : 'error';
  return { name: test.fullName, state, by, message: failures[0]?.message ?? '' };
}

function errorsOf(module: TestModule): string[] {
  const suites = [...module.children.allSuites()].flatMap((suite) => suite.errors());
  return [...module.errors(), ...suites].map(({ message }) => message);
}

export default class TeethReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()].map(outcomeOf).filter((test) => test !== null));
    const report: Report = { tests, errors: modules.flatMap(errorsOf) };
    writeFileSync(process.env['REPORT']!, JSON.stringify(report));
  }
}
