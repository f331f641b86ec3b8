// pflag's syntax made plain for the parser: _ becomes -, boolean flags need no value, -v=2 is --v=2.

import { nearest } from '../config/nearest.ts';
import { EXIT_USAGE, TurnoutError } from '../errors.ts';

export type FlagArity = 'boolean' | 'value';

/**
 * Rewrites `argv` so that each known flag is `--name=value`. Throws UNKNOWN_FLAG naming every flag that is not in `flags`
 * with the nearest known one, and MISSING_VALUE when the last flag lacks its value. Behind the first word that is in
 * `commandFlags`, that command's own flags win.
 */
export function normalizeFlags(
  argv: readonly string[],
  flags: ReadonlyMap<string, FlagArity>,
  commandFlags: ReadonlyMap<string, ReadonlyMap<string, FlagArity>> = new Map(),
): string[] {
  let ownFlags: ReadonlyMap<string, FlagArity> | undefined;
  const normalized: string[] = [];
  const unknown: string[] = [];
  for (let index = 0; index < argv.length; index += 1) {
    const argument = argv[index] ?? '';
    if (argument === '--') {
      normalized.push(...argv.slice(index));
      break;
    }
    const match = /^(--?)([^=]+)(?:=(.*))?$/s.exec(argument);
    if (match === null) {
      ownFlags ??= commandFlags.get(argument);
      normalized.push(argument);
      continue;
    }
    const flag = flagName(match[1] ?? '', match[2] ?? '');
    const name = flag.name;
    let value = flag.value ?? match[3];
    const arity = flag.isShortUnknown === true ? undefined : (ownFlags?.get(name) ?? flags.get(name));
    if (arity === undefined) {
      unknown.push(describeUnknown(match[1] ?? '', match[2] ?? '', name, flags));
      continue;
    }
    if (value === undefined && arity === 'value') {
      index += 1;
      value = argv[index];
      if (value === undefined) {
        throw new TurnoutError('MISSING_VALUE', `flag --${name} needs a value`, {
          hint: `write --${name}=VALUE`,
          exitCode: EXIT_USAGE,
        });
      }
    }
    normalized.push(`--${name}=${value ?? 'true'}`);
  }
  if (unknown.length > 0) {
    const hint = '`turnout --help` lists every flag';
    throw new TurnoutError('UNKNOWN_FLAG', `unknown flag${unknown.length > 1 ? 's' : ''} ${unknown.join(', ')}`, {
      hint,
      exitCode: EXIT_USAGE,
    });
  }
  return normalized;
}

const SHORT_FLAGS: Readonly<Record<string, string>> = { v: 'v', o: 'output', n: 'namespace', h: 'help' };

/** The long name; a one-letter flag may have its value glued on: -v2, -ojson. */
function flagName(
  dashes: string,
  text: string,
): { readonly name: string; readonly value?: string; readonly isShortUnknown?: boolean } {
  if (dashes === '--') return { name: text.replaceAll('_', '-') };
  const name = SHORT_FLAGS[text[0] ?? ''];
  if (name === undefined) return { name: text, isShortUnknown: true };
  return text.length === 1 ? { name } : { name, value: text.slice(1) };
}

/** A word after one dash was meant to have two; a letter that is no flag has no near ones. */
function describeUnknown(dashes: string, text: string, name: string, flags: ReadonlyMap<string, FlagArity>): string {
  const best = text.length === 1 ? null : nearest(name, [...flags.keys()]);
  return best === null ? `${dashes}${text}` : `${dashes}${text} (did you mean --${best}?)`;
}
