// Shell patterns of cgroup paths: `*`, `?` and [...] within one element of the path, `**` for any number of elements. Pure.

/** One element of a pattern: what a folder's name must match, or '**'. */
type Element = RegExp | '**';

/**
 * What is wrong with a pattern, completing "the value ...", or null. Positions count characters from 1. A backslash is an ordinary
 * character: systemd has it in the names of cgroups (dev-disk\x2dlabel).
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
  for (let i = 0; i < element.length; i++) {
    if (element[i] !== '[') continue;
    const set = setAt(element, i);
    if (set === null) return `must close the [ at character ${at + i} with a ] in the same element`;
    const backward = [...set.body.matchAll(/(.)-(.)/g)].find(([, first = '', last = '']) => first > last);
    if (backward) return `must have the range ${backward[0]} at character ${at + set.start + backward.index} the other way round`;
    i = set.end;
  }
  return null;
}

/** The set that opens at `open`: [abc], [a-z], [!a]; a ] that comes first stands for itself. */
function setAt(element: string, open: number): { body: string; isNegated: boolean; start: number; end: number } | null {
  const isNegated = element[open + 1] === '!' || element[open + 1] === '^';
  const start = open + (isNegated ? 2 : 1);
  const end = element.indexOf(']', start + 1);
  return end < 0 ? null : { body: element.slice(start, end), isNegated, start, end };
}

function elementOf(text: string): Element {
  if (text === '**') return '**';
  let expression = '';
  for (let i = 0; i < text.length; i++) {
    const character = text[i] ?? '';
    const set = character === '[' ? setAt(text, i) : null;
    if (set) {
      expression += `[${set.isNegated ? '^' : ''}${set.body.replace(/[\\\]^[]/g, '\\$&')}]`;
      i = set.end;
    } else if (character === '*') expression += '.*';
    else if (character === '?') expression += '.';
    else expression += character.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  }
  return new RegExp(`^${expression}$`, 's');
}

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
