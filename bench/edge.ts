// What the tables of edges.ts share: each is measured for itself, with its own kernels, all rounds one after the other.

import { type KernelOptions, Outcome, PacketKernel } from './packet-kernel.ts';
import type { BenchOptions, BenchResult } from './result.ts';
import type { Hooks } from './series.ts';

export type Edge = (options: BenchOptions) => Promise<BenchResult>;

/** As the goals for large clusters are given. */
export const LARGE = { services: 10_000, endpointsEach: 8, clients: 'plain' } as const satisfies KernelOptions;

export const PACKETS = 200_000;
export const NEW_FLOWS = 20_000;
/** Numbers that established flows do not have. */
export const NEW_FIRST = 200_000;

/** Of a client's packets that are not masqueraded, whatever the hook. */
export const translated = (): number => Outcome.NEW_DESTINATION;
/** Of a backend's: ingress leaves them alone. */
export const answered = (hooks: Hooks): number => (hooks === 2 ? Outcome.NEW_SOURCE : Outcome.PASSED);

/** Loads them one after the other, and closes all that were loaded when the work is done or has failed. */
export async function withKernels<T>(
  options: readonly KernelOptions[],
  work: (kernels: readonly PacketKernel[]) => Promise<T> | T,
): Promise<T> {
  const kernels: PacketKernel[] = [];
  try {
    for (const one of options) kernels.push(await PacketKernel.load(one));
    return await work(kernels);
  } finally {
    for (const kernel of kernels) kernel.close();
  }
}

/** 1, 2, 3... with what is worked on shown to people. */
export function* roundsOf({ rounds, progress }: BenchOptions, name: string): Generator<number> {
  for (let round = 1; round <= rounds; round++) {
    progress(`${name}: round ${round} of ${rounds}`);
    yield round;
  }
}
