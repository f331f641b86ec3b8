// What a sub-command is: its flags, its help, and how its options are read. Each stands in a file of commands/.
import type { Config } from '../config/config.ts';
import { formatGoDuration, parseGoDuration } from '../config/go-duration.ts';
import type { FlagTexts } from '../config/load-config.ts';
import { EXIT_USAGE, TurnoutError } from '../errors.ts';
import type { Command } from './command.ts';

export type CommandName = Exclude<Command['kind'], 'run' | 'print'>;

export interface CommandFlag {
  /** Long name, without dashes. */
  readonly name: string;
  /** One letter; must stand in SHORT_FLAGS (flag-syntax.ts) too. */
  readonly short?: string;
  /** 'NAME', 'table|json'; absent: a switch. */
  readonly placeholder?: string;
  /** The value may be left out, and is "true" then. */
  readonly isOptional?: boolean;
  readonly help: string;
}

/** What every command gets: the settings that find a node's datapath, and what reading them warned about. */
export interface CommandContext {
  readonly config: Config;
  readonly warnings: readonly string[];
}

export interface SubCommand {
  readonly name: CommandName;
  /** One line for `turnout --help`. */
  readonly summary: string;
  readonly description: string;
  readonly examples: string;
  readonly flags: readonly CommandFlag[];
  /** Operands as help shows them, 'SRC DST:PORT/PROTO'; absent: there are none, and giving one is refused. */
  readonly operands?: string;
  /** Changes the kernel, so more privileges are needed than for looking. */
  readonly isChange?: boolean;
  /** Throws a TurnoutError with exit code 2 for what was asked wrongly. */
  build(context: CommandContext, flags: FlagTexts, operands: readonly string[]): Command;
}

/** Ends each description of a command that looks at the pinned maps. */
export const PLACE_HELP =
  'Needs root. Takes --config, --ebpf-bpffs-root and --ebpf-cgroup-root as the proxy does; give them when the proxy was given them.';

export const SERVICE_FLAG_HELP =
  'Only this Service; PORT is a name or a number, and * and ? are patterns of any part. One that does not exist is no error.';

export const OUTPUT_FLAG: CommandFlag = {
  name: 'output',
  short: 'o',
  placeholder: 'table|json',
  help: 'How to print it: table for people, json for programs. (default: table)',
};

export function usageError(code: string, message: string, hint = '`turnout --help` shows how it is called'): TurnoutError {
  return new TurnoutError(code, message, { hint, exitCode: EXIT_USAGE });
}

/** The last text a flag was given, or null. */
export const textOf = (flags: FlagTexts, name: string): string | null => flags.get(name)?.at(-1) ?? null;

export function isTrue(flags: FlagTexts, name: string): boolean {
  const text = textOf(flags, name) ?? 'false';
  if (/^(?:1|t|true)$/i.test(text)) return true;
  if (/^(?:0|f|false)$/i.test(text)) return false;
  throw usageError('BAD_ARGUMENTS', `--${name}: "${text}" must be true or false`);
}

/** Each text a flag was given, in order. */
export const textsOf = (flags: FlagTexts, name: string): readonly string[] => flags.get(name) ?? [];

/** A whole number of at least `least`, or null when the flag was not given. */
export function numberOf(flags: FlagTexts, name: string, least: number): number | null {
  const text = textOf(flags, name);
  if (text === null) return null;
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= least && Number.isSafeInteger(number)) return number;
  throw usageError('BAD_ARGUMENTS', `--${name}: "${text}" must be a whole number, ${least} or more`);
}

/** Milliseconds of a duration as Go writes it, or null when the flag was not given. */
export function durationOf(flags: FlagTexts, name: string, leastMs: number): number | null {
  const text = textOf(flags, name);
  if (text === null) return null;
  const durationMs = parseGoDuration(text);
  if (durationMs !== null && durationMs >= leastMs) return durationMs;
  throw usageError(
    'BAD_ARGUMENTS',
    `--${name}: "${text}" must be a duration of at least ${formatGoDuration(leastMs)}, as 2s or 1m30s`,
  );
}

/** Words of a list, separated by commas or given one after the other; none when the flag was not given. */
export function choicesOf<const Word extends string>(flags: FlagTexts, name: string, words: readonly [Word, ...Word[]]): Word[] {
  return textsOf(flags, name)
    .flatMap((text) => text.split(','))
    .map((text) => choiceOf(new Map([[name, [text]]]), name, words));
}

/** One of a few words, in whatever case; the first is the default. */
export function choiceOf<const Word extends string>(flags: FlagTexts, name: string, words: readonly [Word, ...Word[]]): Word {
  const text = textOf(flags, name) ?? words[0];
  const word = words.find((one) => one.toLowerCase() === text.toLowerCase());
  if (word !== undefined) return word;
  const list = words.length < 3 ? words.join(' or ') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
  throw usageError('BAD_ARGUMENTS', `--${name}: "${text}" must be ${list}`);
}
