// Where flows go in a table of another size: rows are claimed at random, so a smaller table needs some of them moved.

/** A flow by its row and claim: a row is soon another flow's. Exact: 2^17 rows and 2^32 claims fit into 2^53. */
const flowKey = (row: number, claim: number): number => row * 2 ** 32 + claim;

export class FlowRows {
  readonly #size: number; // rows of the new table
  readonly #isFree: (row: number) => boolean;
  readonly #given = new Map<number, number>();
  #cursor = 0;

  constructor(size: number, isFree: (row: number) => boolean) {
    this.#size = size;
    this.#isFree = isFree;
  }

  /**
   * A row for a flow of the old table: the same if it exists and is free, else another free one; null when there is none. The
   * caller fills it before it asks again. A program that claims the same row at the same time wins: its claim is another
   * one, so the entries of the flow that lost count as absent.
   */
  take(row: number, claim: number): number | null {
    const given = row < this.#size && this.#isFree(row) ? row : this.#nextFree();
    if (given !== null) this.#given.set(flowKey(row, claim), given);
    return given;
  }

  /** The flow has a row in the new table already. */
  note(row: number, claim: number, given: number): void {
    this.#given.set(flowKey(row, claim), given);
  }

  /** The row that the flow was given, or null. */
  given(row: number, claim: number): number | null {
    return this.#given.get(flowKey(row, claim)) ?? null;
  }

  #nextFree(): number | null {
    for (; this.#cursor < this.#size; this.#cursor++) if (this.#isFree(this.#cursor)) return this.#cursor;
    return null;
  }
}
