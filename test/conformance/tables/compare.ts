// What is wrong with a result, in words.
import { isEqual } from '../../../src/state/equality.ts';

/** [] when both are equal; order counts in lists, not in objects. */
export function compare(what: string, actual: unknown, expected: unknown): string[] {
  if (isEqual(actual, expected)) return [];
  return [`${what}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`];
}

/** A list or set whose order carries no meaning, and whose values are text. */
export const asSet = (values: Iterable<string>): string[] => [...new Set(values)].sort();

/**
 * Each field that a case expects, by the function that finds our value for it. A field without one is a fault: it would not
 * be looked at.
 */
export function compareFields(
  expected: Readonly<Record<string, unknown>>,
  actual: Readonly<Record<string, (expected: never) => unknown>>,
): string[] {
  return Object.entries(expected).flatMap(([field, value]) => {
    if (field === 'note') return [];
    const find = actual[field];
    return find ? compare(field, find(value as never), value) : [`${field}: this runner knows no such field`];
  });
}
