// What a benchmark gives back: tables whose numbers come one for each round, their medians and ranges, as text and as JSON.
export interface BenchOptions {
  readonly rounds: number; // of one interleaved run: every case once in each round
  /** One line for people who wait. */
  progress(text: string): void;
}

/** One number for each round, in order, so that ratios can be taken within a round. */
export interface Measure {
  readonly unit: string; // 'ns', 'µs', 'ms', 'MiB', '/s', '×'
  readonly values: readonly number[];
}

export interface Row {
  readonly labels: Readonly<Record<string, string | number>>; // what was measured: { services: 10000, path: 'direct' }
  readonly measures: Readonly<Record<string, Measure>>;
  readonly invalid?: string; // why the row's numbers mean nothing; they are not shown then
}

export interface Table {
  readonly title: string;
  readonly rows: readonly Row[];
}

export interface BenchResult {
  readonly tables: readonly Table[];
  readonly notes: readonly string[]; // plain sentences: what was left out, what the numbers are not
}

/** A module of this folder that `make bench WHAT=...` can choose. */
export interface Bench {
  run(options: BenchOptions): Promise<BenchResult>;
}

export interface Summary {
  readonly unit: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export const summary = ({ unit, values }: Measure): Summary => ({
  unit,
  median: median(values),
  min: Math.min(...values),
  max: Math.max(...values),
});

/** Round by round: what the machine did meanwhile slows down both. */
export const ratio = (measure: Measure, base: Measure): Measure => ({
  unit: '×',
  values: measure.values.map((value, round) => value / base.values[round]!),
});

/** Three digits that count, and no exponent. */
export function numberText(value: number): string {
  if (!Number.isFinite(value)) return '-';
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value) || 1)));
  return value.toFixed(Math.min(digits, 2));
}

function cellText(measure: Measure | undefined): string {
  if (!measure || measure.values.length === 0) return '-';
  const { median, min, max } = summary(measure);
  return measure.values.length === 1 ? numberText(median) : `${numberText(median)} (${numberText(min)}-${numberText(max)})`;
}

/** Every median with its range, as 'median (min-max)'. */
export function tableText({ title, rows }: Table): string {
  const labels = [...new Set(rows.flatMap((row) => Object.keys(row.labels)))];
  const units = new Map(rows.flatMap((row) => Object.entries(row.measures).map(([name, { unit }]) => [name, unit] as const)));
  const head = [...labels, ...[...units].map(([name, unit]) => `${name} ${unit}`)];
  const body = rows.map((row) => [
    ...labels.map((label) => String(row.labels[label] ?? '')),
    ...(row.invalid ? [`INVALID: ${row.invalid}`] : [...units.keys()].map((name) => cellText(row.measures[name]))),
  ]);
  // A reason may be as long as it likes: it widens no column.
  const widths = head.map((text, i) =>
    Math.max(text.length, ...body.map((cells) => (cells.length < head.length ? 0 : cells[i]!.length))),
  );
  const line = (cells: string[]): string =>
    cells
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join('  ')
      .trimEnd();
  return [title, line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n');
}

/** For programs: the summaries and every round's number. */
export function resultJson(result: BenchResult): object {
  const tables = result.tables.map(({ title, rows }) => ({
    title,
    rows: rows.map(({ labels, measures, invalid }) => ({
      ...labels,
      ...(invalid
        ? { invalid }
        : Object.fromEntries(
            Object.entries(measures).map(([name, measure]) => [name, { ...summary(measure), values: measure.values }]),
          )),
    })),
  }));
  return { tables, notes: result.notes };
}
