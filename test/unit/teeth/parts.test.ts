// The hard parts that `make test-teeth` takes out: each still stands where it is looked for, once, and names tests that there are.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { whyNot } from '../../teeth/bite.ts';
import { ITEMS, unknownNames, withoutPart } from '../../teeth/items.ts';
import { changedText, pathOf } from '../../teeth/part.ts';
import { PARTS } from '../../teeth/parts.ts';
import type { Outcome } from '../../teeth/reporter.ts';

const root = join(import.meta.dirname, '../../..');

describe('every hard part', () => {
  test.each(PARTS)('$name', ({ changes, noticed }) => {
    for (const change of changes) {
      const text = readFileSync(join(root, pathOf(change)), 'utf8');
      expect(changedText(text, change)).not.toBe(text);
    }
    for (const { file } of noticed) expect(existsSync(join(root, file)), file).toBe(true);
  });

  test('has a name of its own', () => {
    expect(new Set(PARTS.map(({ name }) => name)).size).toBe(PARTS.length);
  });
});

describe('the list of what is hard', () => {
  test('names parts that there are', () => {
    expect(unknownNames(PARTS)).toEqual([]);
  });

  test('has a part for each item, of which one has to bite', () => {
    const biting = new Set(PARTS.map(({ name }) => name));
    expect(withoutPart(biting)).toEqual([]);
    const only = ITEMS.find(({ parts }) => parts.length === 1)!;
    biting.delete(only.parts[0]!);
    expect(withoutPart(biting)).toEqual([only]);
  });
});

describe('a change', () => {
  const change = { file: 'a.h', from: 'b', to: '$&' };

  test('is made in one place, to the letter', () => expect(changedText('abc', change)).toBe('a$&c'));

  test.each(['', 'ac', 'bb'])('is refused where its text does not stand exactly once: "%s"', (text) => {
    expect(() => changedText(text, change)).toThrow('bring the part up to date');
  });
});

describe('a part has no teeth', () => {
  const failed: Outcome = { name: 'a > b', state: 'failed', by: 'assertion', message: '' };
  const passed: Outcome = { ...failed, name: 'a > c', state: 'passed', by: null };
  const broken: Outcome = { ...failed, by: 'error', message: 'EINVAL' };

  test.each([
    ['no test has its name', { tests: [failed], errors: [] }, [/d/], 'no test has a name like d'],
    ['one of its tests passes', { tests: [failed, passed], errors: [] }, [/a/], 'pass without it: a > c'],
    ['its object does not load', { tests: [], errors: ['EINVAL'] }, [/a/], 'not by a test: EINVAL'],
    ['a test fails by an error', { tests: [broken], errors: [] }, [/a/], 'not by an expectation'],
  ])('when %s', (_, report, patterns, expected) => {
    expect(whyNot(report, patterns, 'assertion')).toContain(expected);
  });

  test('unless all of its tests fail by an expectation, or by anything where it says so', () => {
    expect(whyNot({ tests: [failed], errors: [] }, [/b/], 'assertion')).toBe(null);
    expect(whyNot({ tests: [broken], errors: [] }, [/b/], 'any')).toBe(null);
  });
});
