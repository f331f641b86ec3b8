import { expect, test } from 'vitest';
import { REASONS, reasonOf } from '../../../src/cli/reasons.ts';
import { Counter } from '../../../src/datapath/layout.gen.ts';

const refusals = Object.keys(Counter).filter((name) => /^LB_(?:DROP|REJECT_SENT|SOCKET_REFUSED)/.test(name));
const nameOf = (counter: string): string => counter.replace(/^LB_(?:DROP_)?/, '').toLowerCase();

test('every refusal of the datapath is explained, and nothing else', () => {
  expect(Object.keys(REASONS).toSorted()).toEqual(refusals.map(nameOf).toSorted());
});

test.each(Object.entries(REASONS))('%s says what happened and what to do, in sentences', (_, { meaning, advice }) => {
  for (const text of [meaning, advice]) expect(text).toMatch(/^[`A-Z].*\.$/s);
  expect(meaning).not.toBe(advice);
});

test('a reason of a newer datapath is no failure', () => {
  expect(reasonOf('struck_by_lightning').meaning).toContain('does not know');
});
