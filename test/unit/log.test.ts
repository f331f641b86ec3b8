import { describe, expect, test } from 'vitest';
import { createLogger, type LoggerOptions } from '../../src/log.ts';

function logger(options: Partial<LoggerOptions> = {}) {
  const lines: string[] = [];
  const log = createLogger({
    format: 'text',
    verbosity: 0,
    write: (line) => void lines.push(line),
    now: () => new Date(2026, 10, 21, 8, 15, 0, 123).getTime() + 0.456,
    caller: () => 'file.ts:12',
    ...options,
  });
  return { log, lines };
}

const PID = String(process.pid).padStart(7);

describe('text', () => {
  test("is klog's format", () => {
    const { log, lines } = logger();
    log.info('Synced "all"', { services: 3, full: true, node: 'a b', missing: null });
    log.warn('Careful');
    log.error('Cannot attach', { err: new Error('no such device'), device: 'eth0' });
    expect(lines).toEqual([
      `I1121 08:15:00.123456 ${PID} file.ts:12] "Synced \\"all\\"" services=3 full=true node="a b" missing=null\n`,
      `W1121 08:15:00.123456 ${PID} file.ts:12] "Careful"\n`,
      `E1121 08:15:00.123456 ${PID} file.ts:12] "Cannot attach" err="no such device" device="eth0"\n`,
    ]);
  });

  test('names the code and the cause of an error', () => {
    const { log, lines } = logger();
    const cause = Object.assign(new Error('not permitted'), { code: 'EPERM' });
    log.error('Failed', { err: new Error('load', { cause }) });
    expect(lines[0]).toContain('err="load: not permitted (EPERM)"');
  });

  test('keeps a text of several lines readable', () => {
    const { log, lines } = logger();
    log.error('Refused', { log: 'line 1\nline 2\n' });
    expect(lines[0]).toMatch(/"Refused" log=<\n\tline 1\n\tline 2\n >\n$/);
  });

  test('prints lists, sets and objects as JSON', () => {
    const { log, lines } = logger();
    log.info('x', { list: [1, 'a'], set: new Set([1n]), object: { a: { b: 1 } } });
    expect(lines[0]).toContain('list=[1,"a"] set=["1"] object={"a":{"b":1}}');
  });
});

describe('JSON', () => {
  test("has Kubernetes' fields", () => {
    const { log, lines } = logger({ format: 'json', verbosity: 2, now: () => 1_700_000_000_000.5 });
    log.verbose(2, 'Synced', { services: 3 });
    log.error('Failed', { err: new Error('why') });
    log.warn('Careful', { msg: 'kept' });
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { ts: 1_700_000_000_000.5, caller: 'file.ts:12', msg: 'Synced', v: 2, services: 3 },
      { ts: 1_700_000_000_000.5, caller: 'file.ts:12', msg: 'Failed', err: 'why' },
      { ts: 1_700_000_000_000.5, caller: 'file.ts:12', msg: 'Careful', level: 'warning', msg_: 'kept' },
    ]);
    expect(lines.every((line) => line.indexOf('\n') === line.length - 1)).toBe(true);
  });
});

describe('both', () => {
  test('verbose lines appear from their level on', () => {
    const { log, lines } = logger({ verbosity: 3 });
    log.verbose(3, 'shown');
    log.verbose(4, 'hidden');
    expect(lines).toHaveLength(1);
    expect([log.isVerbose(3), log.isVerbose(4)]).toEqual([true, false]);
  });

  test('bound fields come first and may be replaced', () => {
    const { log, lines } = logger();
    log.with({ node: 'a', mode: 'ebpf' }).with({ mode: 'fake' }).info('x', { n: 1 });
    expect(lines[0]).toContain('"x" node="a" mode="fake" n=1');
  });

  test('the caller is the line that logs, also through with()', () => {
    const lines: string[] = [];
    const log = createLogger({ format: 'text', verbosity: 1, write: (line) => void lines.push(line) });
    log.info('a');
    log.verbose(1, 'b');
    log.with({}).error('c');
    for (const line of lines) expect(line).toMatch(/ log\.test\.ts:\d+\] /);
    expect(lines).toHaveLength(3);
  });

  test.each(['text', 'json'] as const)('%s never prints secrets', (format) => {
    const { log, lines } = logger({ format });
    log.info('x', { token: 'hunter2', user: { name: 'a', clientPassword: 'hunter2' }, headers: { Authorization: 'hunter2' } });
    expect(lines[0]).not.toContain('hunter2');
    expect(lines[0]).toContain('[hidden]');
  });

  test('a value that cannot be printed does not lose the line', () => {
    const { log, lines } = logger();
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    log.info('x', { cycle, n: 1 });
    expect(lines[0]).toMatch(/"x" cycle="\(not printable: .*" n=1|"x" cycle=<\n/);
  });
});
