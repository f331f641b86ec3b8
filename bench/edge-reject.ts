// Services without endpoints: the packet becomes an ICMP error on its way back, with no limit on how many.
import { type Edge, LARGE, PACKETS, roundsOf, withKernels } from './edge.ts';
import { SYN } from './packet-flows.ts';
import { Outcome } from './packet-kernel.ts';
import type { Row } from './result.ts';
import { Series } from './series.ts';

const SERVICES = [1, LARGE.services];

export const reject: Edge = async (options) => {
  const cells = SERVICES.map((services) => ({ services, alone: new Series(), undone: new Series() }));
  const kernels = SERVICES.map((services) => ({ ...LARGE, services, endpointsEach: 0, variables: { rejectsPerSecond: 0 } }));
  await withKernels(kernels, (loaded) => {
    for (const _round of roundsOf(options, 'reject')) {
      cells.forEach(({ alone, undone }, i) => {
        const send = { tcpFlags: SYN, flows: 10_000 };
        const sample = { packets: PACKETS, send, expected: () => Outcome.REJECTED };
        alone.take(loaded[i]!, { ...sample, send: { ...send, timed: true } });
        undone.take(loaded[i]!, sample);
      });
    }
  });
  const rows = cells.map(({ services, alone, undone }): Row => {
    const invalid = alone.invalid || undone.invalid;
    const measures = { reject: alone.cost(), 'and undone': undone.cost() };
    return { labels: { services }, measures, ...(invalid && { invalid }) };
  });
  return {
    tables: [{ title: 'reject: ns for each first packet to a Service without endpoints', rows }],
    notes: [
      'reject: from the packet to the ICMP error in its place (parsed, looked up, cut, room made, written, checksums, counted) and the decision where it goes, by the clock around the hook, the clock’s own cost subtracted. Not in it: sending the error. And undone: without a clock, with what the benchmark does to get the packet back to its length, which no real packet pays.',
    ],
  };
};
