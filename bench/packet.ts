// make bench WHAT=packet: what the two hooks cost a packet, in the kernel, without devices and stack around them.
import { availableParallelism } from 'node:os';
import { run as command } from '../lab/shell.ts';
import { Outcome, PacketKernel, type Send } from './packet-kernel.ts';
import { type BenchOptions, type BenchResult, type Measure, type Row, ratio, type Table } from './result.ts';

const SERVICES = [1, 10_000, 50_000];
const FLOWS = [1, 10_000, 100_000];
/** Of the one Service many, so that 100,000 masqueraded flows find source ports; else few, so that 50,000 Services fit. */
const endpointsOf = (services: number): number => (services === 1 ? 64 : 8);
const PACKETS = 200_000;
const NEW_FLOWS = 20_000; // beside those that are there, and ended again
const NEW_FIRST = 200_000; // numbers that established flows do not have
const SYN = 2;
const ACK = 16;
const CLIENTS = { plain: '10.244.0.0', masqueraded: '198.18.0.0' } as const; // pods; others

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
  readonly harness: number[];
  readonly ingress: number[];
  readonly both: number[];
  invalid: string;
}

/** SYN, SYN and ACK from the backend, ACK: `flows` established flows. */
function establish(kernel: PacketKernel, flows: number, cells: readonly Cell[]): void {
  const common = { hooks: 2, flows, inOrder: true } as const;
  const opened = kernel.send(flows, { ...common, tcpFlags: SYN, record: true });
  kernel.send(flows, { ...common, tcpFlags: SYN | ACK, fromBackend: true });
  kernel.send(flows, { ...common, tcpFlags: ACK });
  const refused = Object.entries(opened.outcomes).filter(([outcome]) => Number(outcome) & Outcome.NOT_PASSED);
  for (const cell of cells)
    if (refused.length > 0) cell.invalid ||= `${refused[0]![1]} of ${flows} flows were refused at the start`;
}

function measure(kernel: PacketKernel, cell: Cell): void {
  const { isNew, send, expected } = cell.case;
  for (const hooks of [0, 1, 2] as const) {
    const flows = isNew ? NEW_FLOWS : cell.flows;
    const packets = isNew ? NEW_FLOWS : PACKETS;
    const all: Send = { ...send, hooks, flows, ...(isNew && { firstFlow: NEW_FIRST, inOrder: true }) };
    // First everything once, unmeasured: time stamps of flows are written once a second, caches are somebody else's by now.
    if (!isNew) kernel.send(Math.max(flows, 20_000), { ...all, inOrder: true });
    const { nsPerPacket, outcomes } = kernel.send(packets, all, () => void (isNew && kernel.release(NEW_FIRST, NEW_FLOWS)));
    [cell.harness, cell.ingress, cell.both][hooks]!.push(nsPerPacket);
    const wanted = hooks === 0 ? PASSED : expected[hooks - 1]!;
    if (outcomes[wanted] !== packets) {
      cell.invalid ||= `wanted ${packets} packets of outcome ${wanted}, got ${JSON.stringify(outcomes)}; ${kernel.refusals()}`;
    }
    if (isNew && hooks > 0) kernel.release(NEW_FIRST, NEW_FLOWS);
  }
}

const difference = (values: readonly number[], base: readonly number[]): Measure => ({
  unit: 'ns',
  values: values.map((value, round) => value - base[round]!),
});

function rowOf(cell: Cell, first: Cell): Row {
  const both = difference(cell.both, cell.harness);
  return {
    labels: { services: cell.services, flows: cell.flows },
    measures: {
      'both hooks': both,
      ingress: difference(cell.ingress, cell.harness),
      harness: { unit: 'ns', values: cell.harness },
      'both, to 1 Service': ratio(both, difference(first.both, first.harness)),
    },
    ...(cell.invalid && { invalid: cell.invalid }),
  };
}

export async function run({ rounds, progress }: BenchOptions): Promise<BenchResult> {
  const cpus = availableParallelism();
  const kernels: { clients: keyof typeof CLIENTS; kernel: PacketKernel }[] = [];
  const cells = CASES.flatMap((one) =>
    SERVICES.flatMap((services) =>
      FLOWS.map((flows): Cell => ({ case: one, services, flows, harness: [], ingress: [], both: [], invalid: '' })),
    ),
  );
  try {
    for (const services of SERVICES) {
      for (const clients of ['plain', 'masqueraded'] as const) {
        progress(`packet: tables with ${services} Services, ${clients} clients`);
        kernels.push({ clients, kernel: await PacketKernel.load(services, endpointsOf(services), CLIENTS[clients]) });
      }
    }
    // A test run runs on the thread that asks for it: this one.
    command('taskset', '-cp', String(cpus - 1), String(process.pid));
    for (let round = 0; round < rounds; round++) {
      progress(`packet: round ${round + 1} of ${rounds}`);
      for (const flows of FLOWS) {
        for (const { clients, kernel } of kernels) {
          const mine = cells.filter(
            (cell) => cell.case.clients === clients && cell.services === kernel.services && cell.flows === flows,
          );
          establish(kernel, flows, mine);
          for (const cell of mine) measure(kernel, cell);
          kernel.release(0, flows);
        }
      }
    }
  } finally {
    command('taskset', '-cp', `0-${cpus - 1}`, String(process.pid));
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
