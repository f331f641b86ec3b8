// A hard part of the packet code: how to take it out, and which tests have to notice.

/** A replacement in one file of bpf/. `from` must stand there exactly once, so that a part that has moved on is found. */
export interface Change {
  readonly file: string; // of bpf/
  readonly from: string;
  readonly to: string;
}

/** Tests of one file whose full name, describes and title with ' > ' between them, matches. Every one of them has to fail. */
export interface Noticed {
  readonly file: string; // from the root of the repository
  readonly name: RegExp;
}

export interface Part {
  /** What is true of the code as it is and not of the changed copy. One sentence without full stop. */
  readonly name: string;
  readonly changes: readonly Change[];
  readonly noticed: readonly Noticed[];
  /**
   * How the tests fail: with 'assertion' (as a rule) by an expectation that does not hold; with 'any' also by an error, of which
   * the part says why, since one that does not even load would do as well.
   */
  readonly failsBy?: 'assertion' | 'any';
}

/** One change, seen by tests of one file of test/datapath: as most parts are. */
export function part(name: string, change: Change, file: string, ...names: readonly RegExp[]): Part {
  return { name, changes: [change], noticed: names.map((test) => ({ file: `test/datapath/${file}`, name: test })) };
}

/** The text with the change made. Throws where `from` does not stand exactly once. */
export function changedText(text: string, { file, from, to }: Change): string {
  const times = text.split(from).length - 1;
  if (times !== 1) throw new Error(`bpf/${file} holds this ${times} times, not once; bring the part up to date: ${from}`);
  return text.replace(from, () => to);
}
