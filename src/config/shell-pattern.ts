// Shell patterns of one word: `*`, `?` and [...]. Pure. A backslash is an ordinary character: systemd has it in names of cgroups.

/**
 * What is wrong with a pattern, completing "the value ...", or null. `at`: the position of its first character in what was written,
 * counted from 1.
 */
export function shellPatternFault(pattern: string, at = 1): string | null {
  for (let i = 0; i < pattern.length; i++) {
    if (pattern[i] !== '[') continue;
    const set = setAt(pattern, i);
    if (set === null) return `must close the [ at character ${at + i} with a ] in the same element`;
    const backward = [...set.body.matchAll(/(.)-(.)/g)].find(([, first = '', last = '']) => first > last);
    if (backward) return `must have the range ${backward[0]} at character ${at + set.start + backward.index} the other way round`;
    i = set.end;
  }
  return null;
}

/** The set that opens at `open`: [abc], [a-z], [!a]; a ] that comes first stands for itself. */
function setAt(pattern: string, open: number): { body: string; isNegated: boolean; start: number; end: number } | null {
  const isNegated = pattern[open + 1] === '!' || pattern[open + 1] === '^';
  const start = open + (isNegated ? 2 : 1);
  const end = pattern.indexOf(']', start + 1);
  return end < 0 ? null : { body: pattern.slice(start, end), isNegated, start, end };
}

/** Matches whole words. The pattern must be without fault. */
export function shellPattern(pattern: string): RegExp {
  let expression = '';
  for (let i = 0; i < pattern.length; i++) {
    const character = pattern[i] ?? '';
    const set = character === '[' ? setAt(pattern, i) : null;
    if (set) {
      expression += `[${set.isNegated ? '^' : ''}${set.body.replace(/[\\\]^[]/g, '\\$&')}]`;
      i = set.end;
    } else if (character === '*') expression += '.*';
    else if (character === '?') expression += '.';
    else expression += character.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  }
  return new RegExp(`^${expression}$`, 's');
}
