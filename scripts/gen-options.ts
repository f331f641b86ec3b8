// gen-options.ts [--check]: writes README.md's table of --ebpf-* flags from EBPF_OPTIONS, or says whether it is up to date.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { defaultText } from '../src/cli/help-text.ts';
import { EBPF_OPTIONS } from '../src/config/ebpf-options.ts';
import type { Option } from '../src/config/option.ts';

const START = '<!-- ebpf-options: written by `make gen` -->';
const END = '<!-- /ebpf-options -->';

const code = (text: string): string => `\`${text}\``;
const cell = (text: string): string => text.replaceAll('|', '\\|');

function row(option: Option<unknown>): string {
  const value = option.kind.isBoolean === true ? '' : `=${option.kind.placeholder}`;
  const help = cell(option.help);
  return `| ${code(cell(`--${option.flag}${value}`))} | ${code(option.field)} | ${cell(defaultText(option))} | ${help} |`;
}

const options: readonly Option<unknown>[] = Object.values(EBPF_OPTIONS);
const table = ['| flag | field | default | |', '|---|---|---|---|', ...options.map(row)].join('\n');

const target = join(import.meta.dirname, '../README.md');
const text = readFileSync(target, 'utf8');
const [before, rest] = text.split(START);
const after = rest?.split(END)[1];
if (before === undefined || after === undefined) {
  console.error(`README.md has no place for the table of flags: ${START} and ${END}`);
  process.exit(1);
}
const updated = `${before}${START}\n${table}\n${END}${after}`;

if (!process.argv.includes('--check')) {
  writeFileSync(target, updated);
} else if (text !== updated) {
  console.error(
    'README.md does not list the flags of src/config/ebpf-options.ts: type `make gen`, look at the difference, commit it',
  );
  process.exit(1);
}
