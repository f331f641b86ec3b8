// How many packets met which end, by hook and family: a fuzz that meets nothing finds nothing.
import { word } from './model/headers.ts';
import { type Hook, OUTCOMES } from './model/prediction.ts';

const COLUMNS = ['ingress IPv4', 'ingress IPv6', 'egress IPv4', 'egress IPv6', 'other'] as const;

function columnOf(hook: Hook, frame: Uint8Array): (typeof COLUMNS)[number] {
  const type = frame.length < 14 ? 0 : word(frame, 12);
  if (type === 0x0800) return `${hook} IPv4`;
  return type === 0x86dd ? `${hook} IPv6` : 'other';
}

export class Coverage {
  packets = 0;
  matched = 0;
  readonly #counts = new Map<string, number>();

  add(hook: Hook, frame: Uint8Array, outcome: string, isMatched: boolean, also: readonly string[] = []): void {
    this.packets++;
    if (isMatched) this.matched++;
    const column = columnOf(hook, frame);
    this.#count(`${outcome}, ${column}`);
    for (const further of also) this.#count(`${further}, ${column}`);
  }

  #count(cell: string): void {
    this.#counts.set(cell, (this.#counts.get(cell) ?? 0) + 1);
  }

  of(outcome: string, column: (typeof COLUMNS)[number]): number {
    return this.#counts.get(`${outcome}, ${column}`) ?? 0;
  }

  /** By hook and family, outcomes that were never met too. */
  table(): Record<string, Record<string, number>> {
    return Object.fromEntries(
      OUTCOMES.map((outcome) => [outcome, Object.fromEntries(COLUMNS.map((column) => [column, this.of(outcome, column)]))]),
    );
  }

  text(): string {
    const cell = (value: string | number): string => String(value).padStart(13);
    const lines = Object.entries(this.table()).map(
      ([outcome, counts]) => outcome.padEnd(22) + COLUMNS.map((column) => cell(counts[column]! || '-')).join(''),
    );
    const share = ((100 * this.matched) / Math.max(1, this.packets)).toFixed(1);
    return [
      ' '.repeat(22) + COLUMNS.map(cell).join(''),
      ...lines,
      `${this.packets} packets, ${share} % matched a flow, a frontend or an address of ours`,
    ].join('\n');
  }
}
