// What a sub-command is: its flags, its help, and how its options are read. Each stands in a file of commands/.
import type { Config } from '../config/config.ts';
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

/** One of a few words; the first is the default. */
export function choiceOf<Word extends string>(flags: FlagTexts, name: string, words: readonly [Word, ...Word[]]): Word {
  const text = textOf(flags, name) ?? words[0];
  const word = words.find((one) => one === text);
  if (word !== undefined) return word;
  const list = words.length < 3 ? words.join(' or ') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
  throw usageError('BAD_ARGUMENTS', `--${name}: "${text}" must be ${list}`);
}
