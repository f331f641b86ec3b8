// make bench WHAT=packet: what the two hooks cost a packet, in the kernel, without devices and stack around them.
import { onOneCpu } from './one-cpu.ts';
import { ACK, establish, SYN } from './packet-flows.ts';
import { type CLIENTS, Outcome, PacketKernel, type Send } from './packet-kernel.ts';
import { type BenchOptions, type BenchResult, type Row, ratio, type Table } from './result.ts';
import { Series } from './series.ts';

const SERVICES = [1, 10_000, 50_000];
const FLOWS = [1, 10_000, 100_000];
/** Of the one Service many, so that 100,000 masqueraded flows find source ports; else few, so that 50,000 Services fit. */
const endpointsOf = (services: number): number => (services === 1 ? 64 : 8);
const PACKETS = 200_000;
const NEW_FLOWS = 20_000; // beside those that are there, and ended again
const NEW_FIRST = 200_000; // numbers that established flows do not have

interface Case {
  readonly name: string;
  readonly clients: keyof typeof CLIENTS;
  readonly isNew?: boolean;
  readonly send: Omit<Send, 'hooks' | 'flows'>;
  readonly expected: readonly [ingress: number, both: number]; // Outcome
}

const { PASSED, NEW_DESTINATION, NEW_SOURCE } = Outcome;
const BOTH = NEW_DESTINATION | NEW_SOURCE;
const CASES: readonly Case[] = [
  { name: 'miss', clients: 'plain', send: { tcpFlags: ACK, destination: '203.0.113.7' }, expected: [PASSED, PASSED] },
  { name: 'established', clients: 'plain', send: { tcpFlags: ACK }, expected: [NEW_DESTINATION, NEW_DESTINATION] },
  { name: 'reply', clients: 'plain', send: { tcpFlags: ACK, fromBackend: true }, expected: [PASSED, NEW_SOURCE] },
  { name: 'new', clients: 'plain', isNew: true, send: { tcpFlags: SYN }, expected: [NEW_DESTINATION, NEW_DESTINATION] },
  { name: 'SNAT established', clients: 'masqueraded', send: { tcpFlags: ACK }, expected: [NEW_DESTINATION, BOTH] },
  { name: 'SNAT reply', clients: 'masqueraded', send: { tcpFlags: ACK, fromBackend: true }, expected: [NEW_DESTINATION, BOTH] },
  { name: 'SNAT new', clients: 'masqueraded', isNew: true, send: { tcpFlags: SYN }, expected: [NEW_DESTINATION, BOTH] },
];

/** One cell: a case at a number of Services and flows, over all rounds. */
interface Cell {
  readonly case: Case;
  readonly services: number;
  readonly flows: number;
  readonly series: Series;
}

function measure(kernel: PacketKernel, cell: Cell): void {
  const { isNew, send, expected } = cell.case;
  const flows = isNew ? NEW_FLOWS : cell.flows;
  const all = { ...send, flows, ...(isNew && { firstFlow: NEW_FIRST, inOrder: true }) };
  const sample = { send: all, expected: (hooks: number) => expected[hooks - 1]! };
  if (isNew) {
    const undo = (): void => void kernel.release(NEW_FIRST, NEW_FLOWS);
    cell.series.take(kernel, { ...sample, packets: NEW_FLOWS, undo }, [0, 1, 2]);
    return;
  }
  // First everything once, unmeasured: time stamps of flows are written once a second, caches are somebody else's by now.
  const prepare = (hooks: Send['hooks']): void => void kernel.send(Math.max(flows, 20_000), { ...all, hooks, inOrder: true });
  cell.series.take(kernel, { ...sample, packets: PACKETS, prepare }, [0, 1, 2]);
}

function rowOf(cell: Cell, first: Cell): Row {
  const { series } = cell;
  const both = series.cost();
  return {
    labels: { services: cell.services, flows: cell.flows },
    measures: {
      'both hooks': both,
      ingress: series.cost(1),
      harness: series.harness,
      'both, to 1 Service': ratio(both, first.series.cost()),
    },
    ...(series.invalid && { invalid: series.invalid }),
  };
}

function measureFlows(kernel: PacketKernel, flows: number, cells: readonly Cell[]): void {
  const refused = establish(kernel, flows);
  for (const cell of cells) {
    cell.series.invalid ||= refused;
    measure(kernel, cell);
  }
  kernel.release(0, flows);
}

export async function run({ rounds, progress }: BenchOptions): Promise<BenchResult> {
  const kernels: { clients: keyof typeof CLIENTS; kernel: PacketKernel }[] = [];
  const cells = CASES.flatMap((one) =>
    SERVICES.flatMap((services) => FLOWS.map((flows): Cell => ({ case: one, services, flows, series: new Series() }))),
  );
  const cellsOf = (clients: keyof typeof CLIENTS, { services }: PacketKernel, flows: number): Cell[] =>
    cells.filter((cell) => cell.case.clients === clients && cell.services === services && cell.flows === flows);
  try {
    for (const services of SERVICES) {
      for (const clients of ['plain', 'masqueraded'] as const) {
        progress(`packet: tables with ${services} Services, ${clients} clients`);
        kernels.push({ clients, kernel: await PacketKernel.load({ services, endpointsEach: endpointsOf(services), clients }) });
      }
    }
    await onOneCpu(async () => {
      for (let round = 0; round < rounds; round++) {
        progress(`packet: round ${round + 1} of ${rounds}`);
        for (const flows of FLOWS)
          for (const { clients, kernel } of kernels) measureFlows(kernel, flows, cellsOf(clients, kernel, flows));
      }
    });
  } finally {
    for (const { kernel } of kernels) kernel.close();
  }
  const tables = CASES.map((one): Table => {
    const mine = cells.filter((cell) => cell.case === one);
    const rows = mine.map((cell) => rowOf(cell, mine.find(({ flows, services }) => flows === cell.flows && services === 1)!));
    return { title: `packet, ${one.name}: ns for each packet, harness subtracted`, rows };
  });
  return {
    tables,
    notes: [
      'Both hooks: ingress of the device it comes in by and egress of the one it leaves by, as every forwarded packet of a node sees.',
      `TCP over IPv4, 64 octets, ${PACKETS} packets a round, a random flow for each; new: ${NEW_FLOWS} flows beside those of the row.`,
      `${endpointsOf(1)} endpoints for one Service, ${endpointsOf(2)} each for more; 262,144 rows of flows (twice the default); one CPU; no device, no stack, no other traffic.`,
      'Every packet was restored before it was sent and looked at afterwards; a row with one wrong outcome shows no numbers.',
    ],
  };
}
