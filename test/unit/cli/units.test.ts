import { expect, test } from 'vitest';
import { formatCount, formatOctets, formatSeconds } from '../../../src/cli/units.ts';

test.each([
  [0, '0'],
  [7, '7'],
  [999, '999'],
  [999.6, '1.0k'],
  [1000, '1.0k'],
  [12_345, '12.3k'],
  [99_960, '100k'],
  [999_960, '1.0M'],
  [4_294_967_296, '4.3G'],
])('%d things are %s', (count, text) => {
  expect(formatCount(count)).toBe(text);
});

test.each([
  [0.25, '0.3'],
  [3, '3'],
  [12.5, '12.5'],
  [250.4, '250'],
])('a rate of %d is %s', (rate, text) => {
  expect(formatCount(rate, true)).toBe(text);
});

test.each([
  [0, '0'],
  [1023, '1023'],
  [1024, '1.0Ki'],
  [1_048_576, '1.0Mi'],
  [160_000_000, '153Mi'],
])('%d octets are %s', (octets, text) => {
  expect(formatOctets(octets)).toBe(text);
});

test.each([
  [-1, '0.0s'],
  [0, '0.0s'],
  [0.29, '0.2s'],
  [9.94, '9.9s'],
  [9.96, '9s'],
  [59.9, '59s'],
  [60, '1m'],
  [75, '1m15s'],
  [3600, '1h'],
  [3660, '1h1m'],
  [3605, '1h'],
  [90_000, '1d1h'],
])('%d seconds are %s', (seconds, text) => {
  expect(formatSeconds(seconds)).toBe(text);
});
