// `turnout status`: is it running, where is it attached, how full is it, what did it refuse.
import type { OutputFormat } from './command.ts';
import { formatTable } from './table.ts';
import { type VerifyReport, verifyProblems, verifySummary } from './verify-table.ts';

/** Everything `turnout status` shows. Filled from the pinned maps and links, so it works with and without a running process. */
export interface StatusReport {
  readonly version: string;
  readonly proxyMode: string;
  /** null: no process runs; the pinned datapath, if any, carries on with what it was told last. */
  readonly process: { readonly pid: number; readonly startedAt: string } | null;
  /** Folder of the pins in force; '' : the datapath is not installed. */
  readonly pinFolder: string;
  /** One row for each place a program is attached: a device or a cgroup. */
  readonly hooks: readonly StatusHook[];
  readonly tables: readonly { readonly name: string; readonly used: number; readonly size: number }[];
  /** Drop reason -> count since the maps were made. Zeroes may be included; they are not printed. */
  readonly drops: Readonly<Record<string, number>>;
  /** Event name -> count since the maps were made. Zeroes may be included; they are not printed. */
  readonly events: Readonly<Record<string, number>>;
  readonly warnings: readonly string[];
  /** What the running process found when it compared the kernel with what it should be; null: no process tells. */
  readonly verification?: VerifyReport | null;
}

export interface StatusHook {
  /** 'eth0', or the path of a cgroup. */
  readonly place: string;
  /** 'tcx', 'clsact', 'cgroup'. */
  readonly attach: string;
  /** Programs in force there: 'ingress', 'egress', 'connect4', ... */
  readonly programs: readonly string[];
}

/** The text of `turnout status`, with a final newline. */
export function formatStatus(report: StatusReport, output: OutputFormat): string {
  if (output === 'json') return `${JSON.stringify(report, null, 2)}\n`;
  const sections = [headSection(report), hookSection(report), tableSection(report)];
  if (report.verification) sections.push(`Verification\n${formatTable([], verifySummary(report.verification), { indent: 2 })}`);
  sections.push(counterSection('Drops', 'REASON', report.drops), counterSection('Events', 'EVENT', report.events));
  const warnings = [...report.warnings, ...(report.verification ? verifyProblems(report.verification) : [])];
  if (warnings.length > 0) {
    sections.push(`Warnings\n${warnings.map((warning) => `  ${warning.replaceAll('\n', '\n  ')}\n`).join('')}`);
  }
  return sections.filter((section) => section !== '').join('\n');
}

function headSection(report: StatusReport): string {
  return formatTable(
    [],
    [
      ['Turnout:', report.version],
      ['Mode:', report.proxyMode],
      ['Process:', processText(report)],
      ['Pins:', report.pinFolder === '' ? 'none' : report.pinFolder],
    ],
  );
}

function processText(report: StatusReport): string {
  if (report.process !== null) return `running, pid ${report.process.pid}, since ${report.process.startedAt}`;
  if (report.pinFolder === '') return 'not running, and no datapath is installed: start it with `turnout --manifests=DIR`';
  return 'not running; the pinned datapath carries on with the last state it was given';
}

function hookSection(report: StatusReport): string {
  if (report.pinFolder === '' && report.hooks.length === 0) return '';
  if (report.hooks.length === 0) return 'Hooks\n  none attached: Services are not translated\n';
  const rows = report.hooks.map((hook) => [hook.place, hook.attach, hook.programs.join(', ')]);
  return `Hooks\n${formatTable(['PLACE', 'ATTACH', 'PROGRAMS'], rows, { indent: 2 })}`;
}

function tableSection(report: StatusReport): string {
  if (report.tables.length === 0) return '';
  const rows = report.tables.map((table) => [
    table.name,
    String(table.used),
    String(table.size),
    fillText(table.used, table.size),
  ]);
  return `Tables\n${formatTable(['TABLE', 'USED', 'SIZE', 'FILL'], rows, { indent: 2, alignRight: [1, 2, 3] })}`;
}

/** Percent; anything in use is never shown as 0 %, anything short of full never as 100 %. */
function fillText(used: number, size: number): string {
  if (size === 0) return '-';
  if (used === 0) return '0 %';
  if (used >= size) return '100 %';
  return `${Math.min(99, Math.max(1, Math.round((100 * used) / size)))} %`;
}

function counterSection(title: string, label: string, counters: Readonly<Record<string, number>>): string {
  const rows = Object.entries(counters)
    .filter(([, count]) => count !== 0)
    .sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]))
    .map(([name, count]) => [name, String(count)]);
  return rows.length === 0 ? '' : `${title}\n${formatTable([label, 'COUNT'], rows, { indent: 2, alignRight: [1] })}`;
}
