// What it costs to count packets and octets of each flow: the same packets through programs that count and programs that do not.
import { answered, type Edge, LARGE, NEW_FIRST, NEW_FLOWS, PACKETS, roundsOf, translated, withKernels } from './edge.ts';
import { ACK, establish, liveFlows, SYN } from './packet-flows.ts';
import type { PacketKernel } from './packet-kernel.ts';
import { type Row, ratio } from './result.ts';
import { type Sample, Series } from './series.ts';

const FLOWS = [1, 10_000, 100_000];
const CASES = ['established', 'reply', 'new'] as const;

function sampleOf(kernel: PacketKernel, which: (typeof CASES)[number], flows: number): Sample {
  if (which === 'new') {
    const send = { tcpFlags: SYN, flows: NEW_FLOWS, firstFlow: NEW_FIRST, inOrder: true };
    return { packets: NEW_FLOWS, send, expected: translated, undo: () => void kernel.release(NEW_FIRST, NEW_FLOWS) };
  }
  const send = { tcpFlags: ACK, flows, fromBackend: which === 'reply' };
  return {
    packets: PACKETS,
    send,
    expected: which === 'reply' ? answered : translated,
    prepare: (hooks) => void kernel.send(Math.max(flows, NEW_FLOWS), { ...send, hooks, inOrder: true }),
  };
}

const counted = (kernel: PacketKernel): number =>
  [...liveFlows(kernel).values()].reduce((sum, flow) => sum + Number(flow.requestPackets + flow.replyPackets), 0);

export const counters: Edge = async (options) => {
  const cells = FLOWS.flatMap((flows) => CASES.map((which) => ({ flows, which, on: new Series(), off: new Series() })));
  const kernels = [1, 0].map((flowCounters) => ({ ...LARGE, variables: { flowCounters } }));
  await withKernels(kernels, ([on, off]) => {
    for (const round of roundsOf(options, 'counters')) {
      for (const flows of FLOWS) {
        const mine = cells.filter((cell) => cell.flows === flows);
        const refused = establish(on!, flows) || establish(off!, flows);
        for (const { which, ...cell } of mine) {
          const pair = [
            { series: cell.on, kernel: on! },
            { series: cell.off, kernel: off! },
          ];
          // Each goes first in every other round.
          for (const { series, kernel } of round % 2 ? pair : pair.toReversed())
            series.take(kernel, sampleOf(kernel, which, flows));
        }
        // Twice through both hooks, measured and not, in two cases.
        const wrong = counted(on!) < 2 * PACKETS || counted(off!) !== 0 ? 'the counters are not what they should be' : '';
        for (const cell of mine) cell.on.invalid ||= refused || wrong;
        for (const kernel of [on!, off!]) kernel.release(0, flows);
      }
    }
  });
  const rows = cells.map(({ flows, which, on, off }): Row => {
    const [counting, silent] = [on.cost(), off.cost()];
    const invalid = on.invalid || off.invalid;
    return {
      labels: { packets: which, flows },
      measures: { counting, 'not counting': silent, ratio: ratio(counting, silent) },
      ...(invalid && { invalid }),
    };
  });
  return {
    tables: [{ title: 'counters: ns for each packet, both hooks, harness subtracted', rows }],
    notes: [
      'counters: packets and octets of each flow, which become its Service’s and endpoint’s when it ends. Connections are counted in both columns, once a flow.',
    ],
  };
};
