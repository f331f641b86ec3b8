// "Did you mean ...": the known name closest to a mistyped one.
import { closest, distance } from 'fastest-levenshtein';

/** The nearest of `names`, or null when nothing is near enough to be what was meant. */
export function nearest(name: string, names: readonly string[]): string | null {
  if (names.length === 0) return null;
  const best = closest(name, names as string[]);
  return distance(name, best) <= Math.max(2, Math.floor(name.length / 3)) ? best : null;
}
