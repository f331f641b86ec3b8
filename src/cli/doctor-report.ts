// What `turnout doctor` finds, as values, and how it prints them.
import type { OutputFormat } from './command.ts';

export const SYMPTOMS = [
  'Service not reachable',
  'Node port not reachable from outside',
  'Slow, or connections stall',
  'High CPU',
  'CNI or firewall in the way',
] as const;
export type Symptom = (typeof SYMPTOMS)[number];
export const SEVERITIES = ['problem', 'warning', 'info', 'ok'] as const;
export type Severity = (typeof SEVERITIES)[number];

export interface Finding {
  /** Stable name of the check. */
  readonly check: string;
  readonly symptom: Symptom;
  readonly severity: Severity;
  readonly sentence: string;
  readonly evidence: string; // what was seen: a file and its value, a rule, a count; ''
  readonly advice: string; // ''
}

const MARKS: Readonly<Record<Severity, string>> = { problem: 'PROBLEM', warning: 'warning', info: 'info', ok: 'ok' };
const WIDTH = 100;
const INDENT = 10;

/** By symptom, the worst first; checks that found nothing are counted. With a final newline. */
export function formatDoctor(findings: readonly Finding[], output: OutputFormat): string {
  if (output === 'json') return `${JSON.stringify(findings, null, 2)}\n`;
  const sections = SYMPTOMS.map((symptom) => section(symptom, findings)).filter((text) => text !== '');
  const count = (severity: Severity): number => findings.filter((finding) => finding.severity === severity).length;
  const of = (number: number, word: string): string => `${number} ${word}${number === 1 ? '' : 's'}`;
  const summary = `${of(count('problem'), 'problem')}, ${of(count('warning'), 'warning')}; ${of(count('ok'), 'check')} found nothing.\n`;
  return [...sections, summary].join('\n');
}

function section(symptom: Symptom, findings: readonly Finding[]): string {
  const shown = findings.filter((finding) => finding.symptom === symptom && finding.severity !== 'ok');
  if (shown.length === 0) return '';
  const sorted = [...shown].sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
  const lines = sorted.map(({ severity, sentence, evidence, advice }) =>
    [
      paragraph(MARKS[severity], sentence),
      evidence === '' ? '' : paragraph('', `seen: ${evidence}`),
      advice === '' ? '' : paragraph('', `-> ${advice}`),
    ].join(''),
  );
  return `${symptom}\n${lines.join('')}`;
}

/** Wrapped, under a mark at its left. A text from outside must not move the cursor of the terminal. */
function paragraph(mark: string, text: string): string {
  const lines: string[] = [''];
  for (const word of text.replaceAll(/[\p{Cc}\p{Cf}]/gu, ' ').split(/ +/)) {
    const line = lines.at(-1) ?? '';
    if (line !== '' && line.length + word.length >= WIDTH - INDENT) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines.map((line, i) => `  ${(i === 0 ? mark : '').padEnd(INDENT - 2)}${line}\n`).join('');
}
