// Shell patterns of cgroup paths: `*`, `?` and [...] within one element of the path, `**` for any number of elements. Pure.
import { shellPattern, shellPatternFault } from './shell-pattern.ts';

/** One element of a pattern: what a folder's name must match, or '**'. */
type Element = RegExp | '**';

/**
 * What is wrong with a pattern, completing "the value ...", or null. Positions count characters from 1.
 */
export function cgroupPatternFault(pattern: string): string | null {
  if (!pattern.startsWith('/')) return 'must start with / at character 1: paths begin at the root of the socket path';
  if (pattern === '/') return 'must name a cgroup after / at character 1; for no socket path at all use --ebpf-socket-path=off';
  let at = 2;
  for (const element of pattern.slice(1).split('/')) {
    const fault = elementFault(element, at);
    if (fault !== null) return fault;
    at += element.length + 1;
  }
  return null;
}

function elementFault(element: string, at: number): string | null {
  if (element === '') return `must not have an empty element at character ${at}`;
  if (element === '.' || element === '..') return `must not have ${element} as an element at character ${at}`;
  const stars = element.indexOf('**');
  if (element !== '**' && stars >= 0) return `must have ** at character ${at + stars} alone between slashes`;
  return shellPatternFault(element, at);
}

const elementOf = (text: string): Element => (text === '**' ? '**' : shellPattern(text));

/** How far down a path has come in each pattern: the elements that may match next. Nothing left: nothing below can match. */
export type CgroupProgress = readonly { readonly pattern: number; readonly next: number }[];

/**
 * Patterns, matched from the root down, so that a walk knows where it need not go. `**` matches any number of elements, none too; at
 * the end of a pattern it matches at least one.
 */
export class CgroupPatterns {
  readonly #patterns: readonly (readonly Element[])[];

  /** All must be without fault. */
  constructor(patterns: readonly string[]) {
    this.#patterns = patterns.map((pattern) => pattern.slice(1).split('/').map(elementOf));
  }

  /** At the root of the socket path. */
  get start(): CgroupProgress {
    return this.#patterns.map((_, pattern) => ({ pattern, next: 0 }));
  }

  /** One folder further down. isMatch: the path to it matches a pattern. */
  enter(progress: CgroupProgress, name: string): { readonly isMatch: boolean; readonly progress: CgroupProgress } {
    const reached = new Map<string, { pattern: number; next: number }>();
    let isMatch = false;
    for (const { pattern, next } of progress) {
      for (const step of this.#steps(this.#patterns[pattern] ?? [], next, name)) {
        if (step === this.#patterns[pattern]?.length) isMatch = true;
        else reached.set(`${pattern} ${step}`, { pattern, next: step });
      }
    }
    return { isMatch, progress: [...reached.values()] };
  }

  /** Where an element that stood at `next` may stand once `name` is taken. */
  #steps(elements: readonly Element[], next: number, name: string): number[] {
    const element = elements[next];
    if (element === undefined) return [];
    if (element !== '**') return element.test(name) ? [next + 1] : [];
    if (next + 1 === elements.length) return [next + 1];
    return [next, ...this.#steps(elements, next + 1, name)];
  }
}
