// Columns for people: padded to the widest cell, two blanks between, nothing trailing.

export interface TableOptions {
  /** Blanks before each line. */
  readonly indent?: number;
  /** Columns (from 0) whose cells are aligned to the right: numbers. */
  readonly alignRight?: readonly number[];
}

/** Lays out `rows` under `header` (none when empty), each line ended by a newline. Control characters in cells become '?'. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[], options: TableOptions = {}): string {
  const lines = (header.length === 0 ? rows : [header, ...rows]).map((row) => row.map(printable));
  const widths: number[] = [];
  for (const line of lines) {
    line.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  const indent = ' '.repeat(options.indent ?? 0);
  const right = new Set(options.alignRight ?? []);
  return lines
    .map((line) => {
      const cells = line.map((cell, column) => {
        const width = widths[column] ?? 0;
        return right.has(column) ? cell.padStart(width) : cell.padEnd(width);
      });
      return `${(indent + cells.join('  ')).trimEnd()}\n`;
    })
    .join('');
}

/** A name from a manifest must not be able to move the cursor of the terminal it is printed on. */
export function printable(cell: string): string {
  if (/^[ -~]*$/.test(cell)) return cell; // the many
  return cell.replaceAll(/[\p{Cc}\p{Cf}]/gu, '?');
}
