// A flood of first packets: the flow table is full of connections that nobody answered, but for some that are established.
import { type Edge, NEW_FLOWS, roundsOf, withKernels } from './edge.ts';
import { ACK, establish, liveFlows, lostFlows, SYN } from './packet-flows.ts';
import { type KernelOptions, Outcome, type PacketKernel } from './packet-kernel.ts';
import { type Row, ratio } from './result.ts';
import { Series } from './series.ts';

const ROWS = 131_072; // the default
const ESTABLISHED = 1000;
const FLOOD = 200_000; // SYNs that are measured, each of another client
const FLOOD_FIRST = 1_000_000;
const FILL = 2 * ROWS; // SYNs before them, until hardly a row is free
const FILL_FIRST = 2_000_000;
const FULL = 0.999;

const { NEW_DESTINATION, NEW_SOURCE } = Outcome;
const CLIENTS = ['plain', 'masqueraded'] as const;
type Clients = KernelOptions['clients'];

const expectedOf = (clients: Clients): number => (clients === 'plain' ? NEW_DESTINATION : NEW_DESTINATION | NEW_SOURCE);

const fill = (kernel: PacketKernel): void =>
  void kernel.send(FILL, { hooks: 2, tcpFlags: SYN, flows: FILL, firstFlow: FILL_FIRST, inOrder: true });

/** Whether the established connections still work, both ways. */
function cutOff(kernel: PacketKernel, clients: Clients): string {
  const send = { hooks: 2, tcpFlags: ACK, flows: ESTABLISHED, inOrder: true } as const;
  const there = kernel.send(ESTABLISHED, send).outcomes[expectedOf(clients)] ?? 0;
  const back = kernel.send(ESTABLISHED, { ...send, fromBackend: true }).outcomes;
  const answers = back[clients === 'plain' ? NEW_SOURCE : NEW_DESTINATION | NEW_SOURCE] ?? 0;
  if (there === ESTABLISHED && answers === ESTABLISHED) return '';
  return `of ${ESTABLISHED} established connections ${there} work there and ${answers} back`;
}

class Site {
  readonly clients: Clients;
  readonly quiet = new Series();
  readonly flooded = new Series();
  readonly evicted: number[] = [];
  readonly #kernels: readonly [quiet: PacketKernel, flooded: PacketKernel];

  constructor(clients: Clients, kernels: readonly [PacketKernel, PacketKernel]) {
    this.clients = clients;
    this.#kernels = kernels;
    for (const kernel of kernels) this.flooded.invalid ||= establish(kernel, ESTABLISHED);
    fill(kernels[1]);
  }

  take(): void {
    const [quiet, flooded] = this.#kernels;
    const expected = (): number => expectedOf(this.clients);
    this.quiet.take(quiet, {
      packets: NEW_FLOWS,
      repeats: 5,
      send: { tcpFlags: SYN, flows: NEW_FLOWS, firstFlow: FLOOD_FIRST, inOrder: true },
      expected,
      undo: () => void quiet.release(FLOOD_FIRST, NEW_FLOWS),
    });
    const before = liveFlows(flooded);
    if (before.size < FULL * ROWS) this.flooded.invalid ||= `only ${before.size} of ${ROWS} rows were taken`;
    let evictedBefore = 0;
    this.flooded.take(flooded, {
      packets: FLOOD,
      send: { tcpFlags: SYN, flows: FLOOD, firstFlow: FLOOD_FIRST, inOrder: true },
      expected,
      prepare: () => {
        evictedBefore = flooded.counted().events['flow_evicted'] ?? 0;
      },
      check: () => {
        const evicted = (flooded.counted().events['flow_evicted'] ?? 0) - evictedBefore;
        this.evicted.push((100 * evicted) / FLOOD);
        const lost = lostFlows(before, liveFlows(flooded));
        return lost > 0 ? `${lost} established flows made room for others` : cutOff(flooded, this.clients);
      },
      undo: () => {
        flooded.release(FLOOD_FIRST, FLOOD);
        fill(flooded);
      },
    });
  }

  row(): Row {
    const cost = this.flooded.cost();
    const invalid = this.flooded.invalid || this.quiet.invalid;
    return {
      labels: { clients: this.clients },
      measures: {
        SYN: cost,
        'SYNs a second and CPU': { unit: '/s', values: cost.values.map((ns) => 1e9 / ns) },
        'in a table with room': this.quiet.cost(),
        ratio: ratio(cost, this.quiet.cost()),
        evicted: { unit: '%', values: this.evicted },
      },
      ...(invalid && { invalid }),
    };
  }
}

export const flood: Edge = async (options) => {
  const both = CLIENTS.flatMap((clients) => [clients, clients]);
  const kernels = both.map((clients): KernelOptions => ({ services: 1, endpointsEach: 64, clients, flowTableSize: ROWS }));
  return await withKernels(kernels, (loaded) => {
    const sites = CLIENTS.map((clients, i) => new Site(clients, [loaded[2 * i]!, loaded[2 * i + 1]!]));
    for (const _round of roundsOf(options, 'flood')) for (const site of sites) site.take();
    return {
      tables: [
        {
          title: 'flood: each SYN of another client, the flow table full of SYNs that nobody answered',
          rows: sites.map((site) => site.row()),
        },
      ],
      notes: [
        `flood: ${ROWS} rows of flows, ${ESTABLISHED} of them established connections, which were all there and worked in both directions after each run. Both hooks, harness subtracted; one CPU does nothing else, and devices and stack come on top.`,
      ],
    };
  });
};
