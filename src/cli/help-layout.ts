// How `--help` is laid out: flags as they are typed, long ones on a line of their own.
import type { Help, Option as ParserOption } from 'commander';

/** Columns of the left side of help; a longer term gets a line of its own. */
export const HELP_TERM_WIDTH = 36;

/** '--cluster-cidr=CIDR[,CIDR]', '-v, --v=NUMBER'; a switch shows no value. */
export function optionTerm(option: ParserOption): string {
  const flags = option.flags.replace(' <true|false>', '');
  return flags.includes(' [') ? flags.replace(' [', '[=') : flags.replace(' <', '=').replace(/>$/, '');
}

/** One flag or command with its description, wrapped at the width of the terminal. For commander's configureHelp(). */
export function formatItem(term: string, _termWidth: number, description: string, helper: Help): string {
  const left = `  ${term}`;
  if (description === '') return left;
  const width = Math.max((helper.helpWidth ?? 100) - HELP_TERM_WIDTH - 2, 30);
  const lines = helper.boxWrap(description, width).split('\n');
  const gap = ' '.repeat(HELP_TERM_WIDTH);
  const [first = '', ...rest] = lines;
  const head = left.length + 2 > HELP_TERM_WIDTH ? [left, gap + first] : [left.padEnd(HELP_TERM_WIDTH) + first];
  return [...head, ...rest.map((line) => gap + line)].join('\n');
}
