import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { SyncReport } from '../../src/backend/backend.ts';
import { FakeBackend } from '../../src/backend/fake/fake-backend.ts';
import { createLogger } from '../../src/log.ts';
import { SyncLoop } from '../../src/loop.ts';
import type { Changes, DesiredState } from '../../src/state/model.ts';

const APPLIED: SyncReport = { servicePortsWritten: 1, servicePortsRemoved: 0, failures: [] };
const MIN_SYNC_MS = 1000;
const FULL_SYNC_MS = 30_000;

class Tracker {
  full = true;
  upserted = new Set<string>();
  readonly hasChanges = true;
  desired = (): DesiredState => ({ servicePorts: new Map(), healthChecks: new Map(), serviceCIDRs: [], node: null });
  takeChanges(): Changes {
    const taken = { full: this.full, upserted: this.upserted, removed: new Set<string>() };
    this.full = false;
    this.upserted = new Set();
    return taken;
  }
  restoreChanges(changes: Changes): void {
    this.full ||= changes.full;
    for (const key of changes.upserted) this.upserted.add(key);
  }
}

/** What a pass was asked, in words: 'full', 'a,b' or ''. */
const words = (changes: Changes): string => (changes.full ? 'full' : [...changes.upserted].join(','));

/** A loop over a backend that does what `pass` says; `passes` has each pass with the time it began. */
function looped(pass: (nth: number) => Promise<SyncReport> = () => Promise.resolve(APPLIED)) {
  const startMs = performance.now();
  const passes: string[] = [];
  const told: string[] = [];
  const lines: string[] = [];
  const state = new Tracker();
  const backend = new FakeBackend();
  vi.spyOn(backend, 'sync').mockImplementation((_desired, changes) => {
    passes.push(`${Math.round(performance.now() - startMs)} ${words(changes)}`);
    return pass(passes.length);
  });
  const tell = (what: string) => (): void => void told.push(what);
  const listener = { queued: tell('queued'), synced: tell('synced'), failed: tell('failed') };
  const logger = createLogger({ format: 'text', verbosity: 0, write: (line) => lines.push(line) });
  const options = { minSyncPeriodMs: MIN_SYNC_MS, retryMs: 5000, fullSyncPeriodMs: FULL_SYNC_MS };
  const loop = new SyncLoop({ backend, state, listener, logger, ...options });
  const stop = new AbortController();
  const ended = loop.run(stop.signal).then(() => told.push('ended'));
  const change = (key: string): void => {
    state.upserted.add(key);
    loop.request();
  };
  return { loop, state, passes, told, lines, stop, ended, change };
}

const elapse = (ms: number) => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('the first pass', () => {
  test('waits for the first full picture, whatever is requested before', async () => {
    const { loop, passes, change } = looped();
    change('a');
    await elapse(5000);
    expect(passes).toEqual([]);
    loop.ready();
    await elapse(0);
    expect(passes).toEqual(['5000 full']);
  });

  test('waits also for longer than the full sync period', async () => {
    const { loop, passes } = looped();
    await elapse(3 * FULL_SYNC_MS);
    expect(passes).toEqual([]);
    loop.ready();
    await elapse(0);
    expect(passes).toEqual(['90000 full']);
  });
});

describe('changes', () => {
  test('after quiet are applied at once', async () => {
    const { loop, passes, change } = looped();
    loop.ready();
    await elapse(MIN_SYNC_MS + 234);
    change('a');
    await elapse(0);
    expect(passes).toEqual(['0 full', '1234 a']);
  });

  test('within minSyncPeriod of the last pass become one pass at its end', async () => {
    const { loop, passes, change, told } = looped();
    loop.ready();
    for (const key of ['a', 'b', 'c']) {
      await elapse(100);
      change(key);
    }
    await elapse(5000);
    expect(passes).toEqual(['0 full', '1000 a,b,c']);
    expect(told).toEqual(['queued', 'synced', 'queued', 'synced']);
  });

  test('that come during a pass wait for it: passes never overlap', async () => {
    const slow = Promise.withResolvers<SyncReport>();
    const { loop, passes, change } = looped((nth) => (nth === 1 ? slow.promise : Promise.resolve(APPLIED)));
    loop.ready();
    await elapse(10);
    change('a');
    await elapse(7000);
    expect(passes).toEqual(['0 full']);
    slow.resolve(APPLIED);
    await elapse(MIN_SYNC_MS);
    expect(passes).toEqual(['0 full', '8010 a']);
  });

  test('come from nowhere once a full sync period: everything is compared again', async () => {
    const { loop, passes } = looped();
    loop.ready();
    await elapse(2 * FULL_SYNC_MS + 5000);
    expect(passes).toEqual(['0 full', '30000 full', '60000 full']);
  });
});

describe('a failed pass', () => {
  test('gives its changes back and is tried again, each time later, at most after retryMs', async () => {
    const { loop, passes, told, lines } = looped((nth) =>
      nth < 6 ? Promise.reject(new Error('EPERM')) : Promise.resolve(APPLIED),
    );
    loop.ready();
    await elapse(25_000);
    expect(passes).toEqual(['0 full', '2000 full', '5000 full', '10000 full', '16000 full', '22000 full']); // + 1 s each
    expect(told).toEqual(['queued', ...Array(5).fill('failed'), 'synced']);
    expect(lines[0]).toContain('"Sync failed; the last good state stays in force" err="EPERM"');
  });

  test('takes along what changed since', async () => {
    const { loop, passes, change } = looped((nth) => (nth === 2 ? Promise.reject(new Error('no')) : Promise.resolve(APPLIED)));
    loop.ready();
    await elapse(MIN_SYNC_MS);
    change('a');
    await elapse(10);
    change('b');
    await elapse(5000);
    expect(passes).toEqual(['0 full', '1000 a', '2000 a,b']);
  });

  test('of single service ports gives back those only', async () => {
    const refused: SyncReport = { ...APPLIED, failures: [{ key: 'b', message: 'no free backend id' }] };
    const { loop, passes, change, told, lines } = looped((nth) => Promise.resolve(nth === 2 ? refused : APPLIED));
    loop.ready();
    await elapse(500);
    for (const key of ['a', 'b', 'c']) change(key);
    await elapse(5000);
    expect(passes).toEqual(['0 full', '1000 a,b,c', '3000 b']);
    expect(told).not.toContain('failed');
    expect(lines).toEqual([expect.stringContaining('servicePort="b" err="no free backend id"')]);
  });
});

describe('the end', () => {
  test('comes after the pass that has begun, and no pass follows', async () => {
    const slow = Promise.withResolvers<SyncReport>();
    const { loop, passes, told, stop, ended, change } = looped(() => slow.promise);
    loop.ready();
    await elapse(0);
    change('a');
    stop.abort();
    await elapse(10_000);
    expect(told).not.toContain('ended');
    slow.resolve(APPLIED);
    await ended;
    expect(passes).toEqual(['0 full']);
  });

  test.each([
    ['before anything is known', (_: SyncLoop) => {}, 0],
    ['within minSyncPeriod', (loop: SyncLoop) => loop.ready(), 10],
    ['while nothing changes', (loop: SyncLoop) => loop.ready(), MIN_SYNC_MS + 10],
  ])('comes at once %s', async (_when, begin, ms) => {
    const { loop, stop, told } = looped();
    begin(loop);
    await elapse(ms);
    stop.abort();
    await elapse(0);
    expect(told).toContain('ended');
  });
});
