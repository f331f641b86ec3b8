// A flow table that is a quarter full beside one that is nearly full, both with connections that are established.
import { type Edge, LARGE, NEW_FIRST, PACKETS, roundsOf, translated, withKernels } from './edge.ts';
import { ACK, fillWithEstablished, isEstablished, liveFlows, lostFlows, SYN } from './packet-flows.ts';
import type { PacketKernel } from './packet-kernel.ts';
import { type Row, ratio } from './result.ts';
import { type Sample, Series } from './series.ts';

const ROWS = 131_072; // the default
const SHARES = [0.25, 0.95];
/** So few that the table stays as full as it is. */
const NEW_FLOWS = 1000;

const CASES = ['established, 10000 flows', 'established, all flows', 'new'] as const;

function sampleOf(kernel: PacketKernel, which: (typeof CASES)[number], all: number): Sample {
  if (which === 'new') {
    const send = { tcpFlags: SYN, flows: NEW_FLOWS, firstFlow: NEW_FIRST, inOrder: true };
    const undo = (): void => void kernel.release(NEW_FIRST, NEW_FLOWS);
    return { packets: NEW_FLOWS, repeats: 20, send, expected: translated, undo };
  }
  const flows = which === 'established, all flows' ? all : 10_000;
  const send = { tcpFlags: ACK, flows };
  const prepare = (hooks: 0 | 1 | 2): void => void kernel.send(flows, { ...send, hooks, inOrder: true });
  return { packets: PACKETS, send, expected: translated, prepare };
}

export const load: Edge = async (options) => {
  const cells = CASES.map((which) => ({ which, tables: SHARES.map(() => new Series()) }));
  await withKernels(
    SHARES.map(() => ({ ...LARGE, flowTableSize: ROWS })),
    (kernels) => {
      const sizes = SHARES.map((share) => Math.floor(ROWS * share));
      const refused = kernels.map((kernel, i) => fillWithEstablished(kernel, sizes[i]!));
      const before = kernels.map(liveFlows);
      for (const _round of roundsOf(options, 'load')) {
        for (const { which, tables } of cells) {
          for (const [i, series] of tables.entries()) series.take(kernels[i]!, sampleOf(kernels[i]!, which, sizes[i]!));
        }
      }
      for (const [i, kernel] of kernels.entries()) {
        const lost = lostFlows(before[i]!, liveFlows(kernel));
        const there = [...before[i]!.values()].filter(isEstablished).length;
        const wrong = there !== sizes[i] || lost > 0 ? `${lost} of ${there} established flows made room for others` : '';
        for (const { tables } of cells) tables[i]!.invalid ||= refused[i] || wrong;
      }
    },
  );
  const rows = cells.map(({ which, tables }): Row => {
    const [low, high] = tables.map((series) => series.cost());
    const invalid = tables.find((series) => series.invalid)?.invalid;
    const measures = { '25 % full': low!, '95 % full': high!, ratio: ratio(high!, low!) };
    return { labels: { packets: which }, measures, ...(invalid && { invalid }) };
  });
  return {
    tables: [{ title: 'load: ns for each packet by how full the flow table is, both hooks, harness subtracted', rows }],
    notes: [
      `load: ${ROWS} rows of flows, all that are taken by established connections, none of which was ended; all flows are four times as many in the fuller table. New: ${NEW_FLOWS} at a time.`,
    ],
  };
};
