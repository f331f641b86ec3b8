// What test/datapath uses of vitest, for a plain Node process: in an emulated guest vitest itself (a server, processes for
// test files, a transform of each module) would take longer than the tests. expect and vi are vitest's own, which work without
// a runner; collecting and running is here, as vitest does it: hooks of outer suites around those of inner ones.
import { format } from 'node:util';
import { chai, expect, vi as vitestVi } from 'vitest';

export { expect };

// expect.extend of vitest's own asks its worker how to print; matchers of tests here go to chai, under expect, as they are.
type Matcher = (actual: unknown, ...expected: unknown[]) => { pass: boolean; message(): string };
expect.extend = (matchers) =>
  void chai.use(({ Assertion, AssertionError }, { addMethod, flag }) => {
    for (const [name, matcher] of Object.entries(matchers as unknown as Record<string, Matcher>)) {
      addMethod(Assertion.prototype, name, function (this: object, ...expected: unknown[]) {
        const { pass, message } = matcher(flag(this, 'object'), ...expected);
        if (pass === Boolean(flag(this, 'negate'))) throw new AssertionError(message());
      });
    }
  });

/** waitFor of vitest's own asks its worker too. Patient, since the guest is slow. */
async function waitFor<T>(body: () => T | Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await body();
    } catch (error) {
      if (tries === 200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
export const vi = { ...vitestVi, waitFor };

type Body = (...given: never[]) => unknown;
type HookKind = 'beforeAll' | 'beforeEach' | 'afterEach' | 'afterAll';

interface TestCase {
  readonly kind: 'test';
  readonly title: string;
  readonly body: () => unknown;
}

interface Suite {
  readonly kind: 'suite';
  readonly title: string;
  readonly parent: Suite | null;
  readonly children: (Suite | TestCase)[];
  readonly hooks: Record<HookKind, (() => unknown)[]>;
}

/** Of one test, or of the hooks around several. */
export interface TestResult {
  readonly title: string;
  readonly error: unknown; // undefined: passed
  readonly isLeftOut: boolean;
  readonly ms: number;
}

export interface RunOptions {
  readonly timeoutMs: number;
  isLeftOut(title: string): boolean;
}

const newSuite = (title: string, parent: Suite | null): Suite => ({
  ...{ kind: 'suite', title, parent, children: [] },
  hooks: { beforeAll: [], beforeEach: [], afterEach: [], afterAll: [] },
});

let current = newSuite('', null);

/** '$field' of an object, then printf's letters for as many values as there are letters. */
function titleOf(template: string, values: readonly unknown[]): string {
  const [first] = values;
  const fields = first !== null && typeof first === 'object' ? (first as Record<string, unknown>) : {};
  const named = template.replace(/\$(\w+)/g, (text, field: string) => (field in fields ? String(fields[field]) : text));
  const letters = named.match(/%[sdifjoO]/g)?.length ?? 0;
  return format(named, ...values.slice(0, letters));
}

/** Adds `each`: one registration for each row; an array is spread over the arguments. And `runIf`: none where it is not wanted. */
function withEach(register: (title: string, body: Body) => void) {
  const each =
    (rows: readonly unknown[]) =>
    (template: string, body: (...values: unknown[]) => unknown): void => {
      for (const row of rows) {
        const values = Array.isArray(row) ? (row as unknown[]) : [row];
        register(titleOf(template, values), () => body(...values));
      }
    };
  const runIf = (isWanted: boolean) => (isWanted ? register : () => {});
  return Object.assign(register, { each, runIf });
}

export const describe = withEach((title, body) => {
  const outer = current;
  current = newSuite(title, outer);
  outer.children.push(current);
  try {
    (body as () => void)();
  } finally {
    current = outer;
  }
});

export const test = withEach((title, body) => {
  current.children.push({ kind: 'test', title, body: body as () => unknown });
});

const hook = (kind: HookKind) => (body: () => unknown) => void current.hooks[kind].push(body);
export const [beforeAll, beforeEach, afterEach, afterAll] = [
  ...[hook('beforeAll'), hook('beforeEach'), hook('afterEach'), hook('afterAll')],
];

let finishers: (() => unknown)[] = [];
/** Runs when the test at hand is over, whatever became of it; the last one first. */
export const onTestFinished = (body: () => unknown): void => void finishers.push(body);

/** What importing one file registers. */
export async function collect(load: () => Promise<unknown>): Promise<Suite> {
  const root = newSuite('', null);
  current = root;
  await load();
  return root;
}

async function within(timeoutMs: number, body: () => unknown): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${timeoutMs / 1000} s`)), timeoutMs);
  });
  try {
    await Promise.race([body(), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** From the outermost suite to this one. */
const lineOf = (suite: Suite): Suite[] => (suite.parent ? [...lineOf(suite.parent), suite] : [suite]);
const titleIn = (suite: Suite, title: string): string =>
  [...lineOf(suite).map((one) => one.title), title].filter(Boolean).join(' > ');

/** Runs hooks or a test one after the other; the first error ends it. */
async function failureOf(bodies: readonly (() => unknown)[], timeoutMs: number): Promise<unknown> {
  try {
    for (const body of bodies) await within(timeoutMs, body);
    return undefined;
  } catch (error) {
    return error ?? new Error('nothing was thrown as an error');
  }
}

async function runTest(suite: Suite, { title, body }: TestCase, options: RunOptions): Promise<TestResult> {
  const fullTitle = titleIn(suite, title);
  if (options.isLeftOut(fullTitle)) return { title: fullTitle, error: undefined, isLeftOut: true, ms: 0 };
  const startMs = performance.now();
  const line = lineOf(suite);
  const before = line.flatMap(({ hooks }) => hooks.beforeEach);
  const after = line.toReversed().flatMap(({ hooks }) => hooks.afterEach.toReversed());
  finishers = [];
  const error = await failureOf([...before, body], options.timeoutMs);
  const afterError = await failureOf([...after, ...finishers.toReversed()], options.timeoutMs);
  return { title: fullTitle, error: error ?? afterError, isLeftOut: false, ms: performance.now() - startMs };
}

/** Yields each result as it comes. A failing beforeAll fails every test of its suite, a failing afterAll counts as a test. */
export async function* run(suite: Suite, options: RunOptions, outerError?: unknown): AsyncGenerator<TestResult> {
  const error = outerError ?? (await failureOf(suite.hooks.beforeAll, options.timeoutMs));
  for (const child of suite.children) {
    if (child.kind === 'suite') yield* run(child, options, error);
    else if (error === undefined) yield await runTest(suite, child, options);
    else yield { title: titleIn(suite, child.title), error, isLeftOut: false, ms: 0 };
  }
  const afterError = await failureOf(suite.hooks.afterAll.toReversed(), options.timeoutMs);
  if (afterError !== undefined) yield { title: titleIn(suite, 'afterAll'), error: afterError, isLeftOut: false, ms: 0 };
}
