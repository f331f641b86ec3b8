// A hard part of the packet code: how to take it out, and which tests have to notice.
import { join } from 'node:path';

/** A replacement in one file. `from` must stand there exactly once, so that a part that has moved on is found. */
export interface Change {
  readonly file: string; // of bpf/; or of src/, where the part is the controller's, with that name in front
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

/** One change, seen by tests of one file: of test/datapath, as most parts are, or of another folder of test/ that it names. */
export function part(name: string, change: Change, file: string, ...names: readonly RegExp[]): Part {
  return { name, changes: [change], noticed: noticedBy(file, names) };
}

/** The same part, seen by tests of another file too: by real packets, as a rule. */
export function also(one: Part, file: string, ...names: readonly RegExp[]): Part {
  return { ...one, noticed: [...one.noticed, ...noticedBy(file, names)] };
}

const noticedBy = (file: string, names: readonly RegExp[]): Noticed[] =>
  names.map((name) => ({ file: join('test', file.includes('/') ? file : `datapath/${file}`), name }));

/** From the root of the repository. */
export const pathOf = ({ file }: Change): string => (file.startsWith('src/') ? file : join('bpf', file));

/** The text with the change made. Throws where `from` does not stand exactly once. */
export function changedText(text: string, { file, from, to }: Change): string {
  const times = text.split(from).length - 1;
  if (times !== 1) throw new Error(`${file} holds this ${times} times, not once; bring the part up to date: ${from}`);
  return text.replace(from, () => to);
}
