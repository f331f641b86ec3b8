// `turnout verify`: what the running process found when it compared the kernel with what it should be. Also a part of `turnout status`.
import type { OutputFormat } from './command.ts';
import { formatTable } from './table.ts';

/** What differed from what it should have been, and what became of it. */
export interface DriftEntry {
  readonly at: string; // RFC 3339
  readonly table: string; // a map's name, or 'links'
  readonly kind: 'missing' | 'differs' | 'unexpected';
  readonly row: string;
  readonly expected: string; // '' : no such row
  readonly found: string; // '' : no such row
  /** '' : put right; else why not. */
  readonly failure: string;
}

export interface CanaryEntry {
  /** Programs that this proves, as they are attached: 'connect4'. */
  readonly hook: string;
  /** 'unproven': nothing was sent through it; `detail` says why. */
  readonly state: 'proven' | 'failed' | 'unproven';
  readonly detail: string;
  readonly runs: number;
  readonly failures: number;
}

export interface BlindSpotEntry {
  readonly kind: string;
  readonly found: readonly string[];
  readonly count: number;
  readonly consequence: string;
  readonly advice: string;
}

export interface VerifyReport {
  /** Since the process started. */
  readonly rounds: number;
  readonly lastRound: {
    readonly endedAt: string; // RFC 3339
    readonly durationMs: number;
    readonly rowsCompared: number;
    readonly drift: number;
  } | null;
  readonly tables: readonly {
    readonly name: string;
    readonly rowsCompared: number;
    readonly missing: number;
    readonly differs: number;
    readonly unexpected: number;
    readonly failures: number; // of these, not put right
  }[];
  readonly recentDrift: readonly DriftEntry[]; // the newest last
  readonly canaries: readonly CanaryEntry[];
  /** null: not looked for yet. */
  readonly blindSpots: readonly BlindSpotEntry[] | null;
  /** What the last pass could not write; what was in force stays. */
  readonly refused: {
    readonly error: string;
    readonly servicePorts: readonly { readonly key: string; readonly message: string }[];
  };
  /** Tables that are more than nine tenths full. */
  readonly nearlyFull: readonly { readonly table: string; readonly used: number; readonly size: number; readonly flag: string }[];
}

/** What is wrong, a line each; none: exit status 0. Drift that was put right before this run is history. */
export function verifyProblems(report: VerifyReport): string[] {
  const problems: string[] = [];
  const { lastRound, canaries, refused } = report;
  if (lastRound && lastRound.drift > 0)
    problems.push(`the last round found ${count(lastRound.drift, 'row or link', 'rows or links')} that differed`);
  for (const { hook, detail } of canaries.filter(({ state }) => state === 'failed'))
    problems.push(`canary of ${hook}: ${detail}`);
  if (refused.error !== '') problems.push(`the last pass failed: ${refused.error}`);
  const [first] = refused.servicePorts;
  if (first)
    problems.push(`${count(refused.servicePorts.length, 'Service port')} not programmed, such as ${first.key}: ${first.message}`);
  for (const { table, used, size, flag } of report.nearlyFull)
    problems.push(`table ${table}: ${used} of ${size} rows in use; raise ${flag}`);
  return problems;
}

/** The text of `turnout verify`, with a final newline. */
export function formatVerify(report: VerifyReport, output: OutputFormat): string {
  const problems = verifyProblems(report);
  if (output === 'json') return `${JSON.stringify({ ok: problems.length === 0, problems, ...report }, null, 2)}\n`;
  const sections = [
    problems.length === 0
      ? 'Everything is as it should be.\n'
      : `Problems\n${problems.map((problem) => `  ${problem}\n`).join('')}`,
    tableSection(report),
    driftSection(report),
    canarySection(report),
    blindSpotSection(report),
  ];
  return sections.filter((section) => section !== '').join('\n');
}

/** Lines for `turnout status`: label and text. */
export function verifySummary(report: VerifyReport): [string, string][] {
  const { lastRound, canaries, blindSpots, tables } = report;
  const drift = tables.reduce((sum, { missing, differs, unexpected }) => sum + missing + differs + unexpected, 0);
  const failures = tables.reduce((sum, table) => sum + table.failures, 0);
  const of = (state: string): string[] => canaries.filter((one) => one.state === state).map(({ hook }) => hook);
  const failed = of('failed');
  return [
    [
      'Last round:',
      lastRound
        ? `${lastRound.endedAt}, ${count(lastRound.rowsCompared, 'row')} in ${seconds(lastRound.durationMs)}`
        : 'none yet',
    ],
    ['Drift:', `${drift} since the start${failures > 0 ? `, ${failures} not put right` : drift > 0 ? ', put right' : ''}`],
    [
      'Canary:',
      failed.length > 0
        ? `FAILED: ${failed.join(', ')}`
        : canaries.some(({ state }) => state === 'proven')
          ? `proven: ${of('proven').join(', ')}`
          : 'not run',
    ],
    [
      'Blind spots:',
      blindSpots === null
        ? 'not looked for yet'
        : blindSpots.length === 0
          ? 'none found'
          : `${blindSpots.map(({ kind }) => kind).join(', ')}  (\`turnout verify\` explains)`,
    ],
  ];
}

const count = (number: number, one: string, many = `${one}s`): string => `${number} ${number === 1 ? one : many}`;
const seconds = (ms: number): string => `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;

function tableSection(report: VerifyReport): string {
  const rows = report.tables.map(({ name, rowsCompared, missing, differs, unexpected, failures }) => [
    name,
    ...[rowsCompared, missing, differs, unexpected, failures].map(String),
  ]);
  const header = ['TABLE', 'COMPARED', 'MISSING', 'DIFFERED', 'UNEXPECTED', 'NOT PUT RIGHT'];
  const since = report.lastRound ? `, the last ended ${report.lastRound.endedAt}` : '';
  const title = `Tables (${count(report.rounds, 'round')}${since})\n`;
  return title + formatTable(header, rows, { indent: 2, alignRight: [1, 2, 3, 4, 5] });
}

function driftSection({ recentDrift }: VerifyReport): string {
  if (recentDrift.length === 0) return '';
  const lines = recentDrift.flatMap(({ at, table, kind, row, expected, found, failure }) => [
    [at, table, kind, row],
    ...(expected ? [['', '', 'expected', expected]] : []),
    ...(found ? [['', '', 'found', found]] : []),
    ...(failure ? [['', '', 'not put right', failure]] : []),
  ]);
  return `Newest drift\n${formatTable([], lines, { indent: 2 })}`;
}

function canarySection({ canaries }: VerifyReport): string {
  if (canaries.length === 0) return '';
  const rows = canaries.map(({ hook, state, runs, failures, detail }) => [hook, state, String(runs), String(failures), detail]);
  return `Canaries\n${formatTable(['HOOK', 'STATE', 'RUNS', 'FAILURES', ''], rows, { indent: 2, alignRight: [2, 3] })}`;
}

function blindSpotSection({ blindSpots }: VerifyReport): string {
  if (blindSpots === null) return '';
  if (blindSpots.length === 0) return 'Blind spots\n  none found\n';
  const texts = blindSpots.map(({ kind, count: times, found, consequence, advice }) => {
    const where = found.map((text) => `    ${text.replaceAll(/[\p{Cc}\p{Cf}]/gu, '?')}\n`).join('');
    const more = times > found.length ? `    and ${times - found.length} more\n` : '';
    return `  ${kind}: ${consequence}\n    -> ${advice}\n${where}${more}`;
  });
  return `Blind spots\n${texts.join('')}`;
}
