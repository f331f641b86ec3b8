import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatGoDuration, parseGoDuration } from '../../../src/config/go-duration.ts';

test.each([
  ['30s', 30_000],
  ['1m30s', 90_000],
  ['500ms', 500],
  ['1.5h', 5_400_000],
  ['24h0m0s', 86_400_000],
  ['.5s', 500],
  ['100us', 0.1],
  ['0', 0],
  ['0s', 0],
  ['-1m', -60_000],
  ['+2s', 2000],
])('%s is a Go duration of %d ms', (text, durationMs) => {
  expect(parseGoDuration(text)).toBeCloseTo(durationMs, 9);
});

test.each(['', '30', 's', '1d', '1m30', '1 m', '--1s', 'abc', '1s garbage', '-'])('"%s" is not a Go duration', (text) => {
  expect(parseGoDuration(text)).toBeNull();
});

test('every whole number of milliseconds survives being written and read', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 10 ** 9 }), (durationMs) => {
      expect(parseGoDuration(formatGoDuration(durationMs))).toBe(durationMs);
    }),
  );
});

test('durations are written as people write them', () => {
  expect([0, 500, 30_000, 90_000, 86_400_000].map(formatGoDuration)).toEqual(['0s', '500ms', '30s', '1m30s', '24h']);
});
