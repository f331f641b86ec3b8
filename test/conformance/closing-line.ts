// How every run of conformance cases ends: "N passed, N failed, N skipped", and the exit status.

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Prints the closing line; the exit status: 1 when a unit failed, or when none ran at all. `from`: what was looked for where. */
export function close({ passed, failed, skipped }: Counts, from: string): 0 | 1 {
  if (passed + failed === 0) console.error(`conformance: no unit ran (${from})`);
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  return failed > 0 || passed === 0 ? 1 : 0;
}
