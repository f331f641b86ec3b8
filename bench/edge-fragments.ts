// Fragments of established flows: the first of each datagram leaves its ports for those that follow, at both hooks.
import { type Edge, LARGE, PACKETS, roundsOf, translated, withKernels } from './edge.ts';
import { ACK, establish } from './packet-flows.ts';
import { FragOff, type PacketKernel } from './packet-kernel.ts';
import { type Row, ratio } from './result.ts';
import { type Sample, Series } from './series.ts';

/** Datagrams under way at once, too: two rows each of the fragment table's 8,192. */
const FLOWS = [1, 1000];

const CASES = ['whole', 'first fragment', 'later fragment'] as const;
const FRAG_OFF = { whole: FragOff.WHOLE, 'first fragment': FragOff.FIRST, 'later fragment': FragOff.LATER } as const;

function sampleOf(kernel: PacketKernel, which: (typeof CASES)[number], flows: number): Sample {
  const send = { tcpFlags: ACK, flows, fragOff: FRAG_OFF[which], newIds: which === 'first fragment' };
  return {
    packets: PACKETS,
    send,
    expected: translated,
    prepare(hooks) {
      // The first fragment of one datagram for each flow, through both hooks: later ones are of this datagram.
      if (which === 'later fragment') kernel.send(flows, { ...send, hooks: 2, inOrder: true, fragOff: FragOff.FIRST });
      kernel.send(Math.max(flows, 20_000), { ...send, hooks, inOrder: true });
    },
  };
}

export const fragments: Edge = async (options) => {
  const cells = FLOWS.flatMap((flows) => CASES.map((which) => ({ flows, which, series: new Series() })));
  await withKernels([LARGE], ([kernel]) => {
    for (const _round of roundsOf(options, 'fragments')) {
      for (const flows of FLOWS) {
        const refused = establish(kernel!, flows);
        for (const { which, series } of cells.filter((cell) => cell.flows === flows)) {
          series.invalid ||= refused;
          series.take(kernel!, sampleOf(kernel!, which, flows));
        }
        kernel!.release(0, flows);
      }
    }
  });
  const rows = cells.map(({ flows, which, series }): Row => {
    const whole = cells.find((cell) => cell.flows === flows && cell.which === 'whole')!.series;
    const invalid = series.invalid || whole.invalid;
    const measures = { 'both hooks': series.cost(), 'to whole packets': ratio(series.cost(), whole.cost()) };
    return { labels: { packets: which, flows }, measures, ...(invalid && { invalid }) };
  });
  return {
    tables: [{ title: 'fragments: ns for each packet of an established flow, both hooks, harness subtracted', rows }],
    notes: [
      'fragments: each first fragment begins a datagram of its own, so it writes a row at each hook and, the table being full, makes another go; later fragments are of one datagram for each flow.',
    ],
  };
};
