// sessionAffinity ClientIP: new connections of clients that are remembered, and of clients that are not yet.
import { addressText } from '../src/datapath/address.ts';
import {
  type AffinityKey,
  LB_AFFINITY_KEY_SIZE,
  LB_AFFINITY_SIZE,
  readAffinity,
  readAffinityKey,
} from '../src/datapath/layout.gen.ts';
import { type Edge, LARGE, NEW_FIRST, NEW_FLOWS, roundsOf, translated, withKernels } from './edge.ts';
import { liveFlows, SYN } from './packet-flows.ts';
import type { PacketKernel } from './packet-kernel.ts';
import { type Row, ratio } from './result.ts';
import { Series } from './series.ts';

const THREE_HOURS = 10_800; // what Kubernetes has for default

const CASES = ['no affinity', 'known client', 'new client'] as const;
type Case = (typeof CASES)[number];

const nameOf = ({ serviceId, client }: AffinityKey): string => `${serviceId} ${addressText(client)}`;

/** Who has which endpoint. */
function remembered(kernel: PacketKernel): Map<string, number> {
  const { count, keys, values } = kernel.map('affinity').getBatch();
  const rows = Array.from({ length: count }, (_, n) => n);
  return new Map(
    rows.map((n) => [
      nameOf(readAffinityKey(keys, n * LB_AFFINITY_KEY_SIZE)),
      readAffinity(values, n * LB_AFFINITY_SIZE).backend.backendId,
    ]),
  );
}

function forget(kernel: PacketKernel): void {
  const map = kernel.map('affinity');
  const { count, keys } = map.getBatch();
  if (count > 0) map.deleteBatch(keys, count);
}

/** Each flow has the endpoint that its client is remembered with; known clients, the one from before. */
function misled(kernel: PacketKernel, before: ReadonlyMap<string, number> | undefined): string {
  const now = remembered(kernel);
  const flows = [...liveFlows(kernel).values()];
  const wrong = flows.filter((flow) => {
    const name = nameOf(flow);
    return now.get(name) !== flow.backendId || (before && before.get(name) !== flow.backendId);
  });
  return wrong.length > 0 || flows.length !== NEW_FLOWS ? `${wrong.length} of ${flows.length} flows went elsewhere` : '';
}

function take(series: Series, kernel: PacketKernel, which: Case): void {
  const send = { tcpFlags: SYN, flows: NEW_FLOWS, firstFlow: NEW_FIRST, inOrder: true };
  let before: Map<string, number> | undefined;
  const undo = (): void => {
    kernel.release(NEW_FIRST, NEW_FLOWS);
    if (which === 'new client') forget(kernel);
  };
  series.take(kernel, {
    packets: NEW_FLOWS,
    send,
    expected: translated,
    // The same connections once before, so that every case finds the same in the caches, and each client an endpoint.
    prepare(hooks) {
      kernel.send(NEW_FLOWS, { ...send, hooks });
      before = which === 'known client' ? remembered(kernel) : undefined;
      undo();
    },
    check: () => (which === 'no affinity' ? '' : misled(kernel, before)),
    undo,
  });
}

export const affinity: Edge = async (options) => {
  const cells = CASES.map((which) => ({ which, series: new Series() }));
  await withKernels([LARGE, { ...LARGE, affinitySeconds: THREE_HOURS }], ([without, having]) => {
    for (const _round of roundsOf(options, 'affinity')) {
      for (const { which, series } of cells) take(series, which === 'no affinity' ? without! : having!, which);
      forget(having!);
    }
  });
  const base = cells[0]!.series;
  const rows = cells.map(({ which, series }): Row => {
    const invalid = base.invalid || series.invalid;
    const measures = { 'new connection': series.cost(), 'to none': ratio(series.cost(), base.cost()) };
    return { labels: { Services: which }, measures, ...(invalid && { invalid }) };
  });
  return {
    tables: [{ title: 'affinity: ns for each first packet, both hooks, harness subtracted', rows }],
    notes: [
      `affinity: ${NEW_FLOWS} connections a round, each of a client of its own; known: the client has a row, which is read and stamped.`,
    ],
  };
};
