// `turnout flows`: flows as a table, as JSON, and as numbers only.
import { formatIp, hostPort } from '../state/ip.ts';
import type { FlowsOptions } from './commands/flows.ts';
import { serviceText } from './endpoint-filter.ts';
import { FLOW_STATES, type Flow, type FlowEnd, type FlowState, familyOf, sortFlows } from './flow.ts';
import { formatTable } from './table.ts';
import { formatCount, formatOctets, formatSeconds } from './units.ts';

export type FlowsOutput = 'table' | 'wide' | 'json';
export const FLOW_GROUPS = ['service', 'backend', 'client', 'state'] as const;
export type FlowGroup = (typeof FLOW_GROUPS)[number];

const HEADER = ['PROTOCOL', 'CLIENT', 'FRONTEND', 'BACKEND', 'SOURCE', 'SERVICE', 'STATE', 'AGE', 'IDLE', 'PACKETS', 'BYTES'];
const WIDE_HEADER = [...HEADER.slice(0, 9), ...['REQUEST-PACKETS', 'REQUEST-BYTES', 'REPLY-PACKETS', 'REPLY-BYTES', 'FLAGS']];
const NONE = 'No flows. `turnout flows --help` tells which connections have one.\n';

export const endText = ({ address, port }: FlowEnd): string => hostPort(formatIp(address), port);

/** What is asked for, with a final newline. The table ends with a word about connections that have no flow. */
export function formatFlowsView(flows: readonly Flow[], socketsOpen: number, options: FlowsOptions): string {
  const { group, order, limit, output } = options;
  const text = group === null ? formatFlows(sortFlows(flows, order, limit), output) : formatFlowCounts(flows, group, output);
  if (output === 'json' || socketsOpen === 0) return text;
  const which = socketsOpen === 1 ? 'One more connection has' : `${socketsOpen} more connections have`;
  return `${text}\n${which} no flow: connect() translated ${socketsOpen === 1 ? 'it' : 'them'}, so that no program sees their packets.\n`;
}

export function formatFlows(flows: readonly Flow[], output: FlowsOutput): string {
  if (output === 'json') return jsonLines(flows.map(flowJson));
  if (flows.length === 0) return NONE;
  if (output === 'wide') return formatTable(WIDE_HEADER, flows.map(wideCells), { alignRight: [7, 8, 9, 10, 11, 12] });
  return formatTable(HEADER, flows.map(cells), { alignRight: [7, 8, 9, 10] });
}

function commonCells(flow: Flow, source: string): string[] {
  return [
    flow.protocol,
    endText(flow.client),
    endText(flow.frontend),
    endText(flow.backend),
    source,
    serviceCell(flow),
    flow.state,
    formatSeconds(flow.ageSeconds),
    formatSeconds(flow.idleSeconds),
  ];
}

const serviceCell = ({ service, isGuard }: Flow): string => (isGuard ? '(none)' : service === null ? '?' : serviceText(service));

/** Both ways in one cell, to the backend first; a source that is the client's own is not repeated. */
function cells(flow: Flow): string[] {
  const source = flow.source === null ? '?' : isSameEnd(flow.source, flow.client) ? '=' : endText(flow.source);
  return [
    ...commonCells(flow, source),
    `${formatCount(flow.requestPackets)}/${formatCount(flow.replyPackets)}`,
    `${formatOctets(flow.requestBytes)}/${formatOctets(flow.replyBytes)}`,
  ];
}

function wideCells(flow: Flow): string[] {
  const flags = [
    ...(flow.isMasqueraded ? ['masqueraded'] : []),
    ...(flow.isStale ? ['stale'] : []),
    ...(flow.isGuard ? ['guard'] : []),
  ];
  return [
    ...commonCells(flow, flow.source === null ? '?' : endText(flow.source)),
    ...[flow.requestPackets, flow.requestBytes, flow.replyPackets, flow.replyBytes].map(String),
    flags.join(',') || '-',
  ];
}

const isSameEnd = (a: FlowEnd, b: FlowEnd): boolean => a.port === b.port && a.address.every((octet, i) => octet === b.address[i]);
const endJson = (end: FlowEnd | null): object | null => end && { address: formatIp(end.address), port: end.port };
const inTenths = (seconds: number): number => Math.round(seconds * 10) / 10;

function flowJson(flow: Flow): object {
  return {
    protocol: flow.protocol,
    family: familyOf(flow),
    client: endJson(flow.client),
    frontend: endJson(flow.frontend),
    backend: endJson(flow.backend),
    source: endJson(flow.source),
    service: flow.service && {
      namespace: flow.service.namespace,
      name: flow.service.name,
      portName: flow.service.portName,
      port: flow.service.port,
    },
    state: flow.state,
    replied: flow.isReplied,
    masqueraded: flow.isMasqueraded,
    stale: flow.isStale,
    guard: flow.isGuard,
    ageSeconds: inTenths(flow.ageSeconds),
    idleSeconds: inTenths(flow.idleSeconds),
    requestPackets: flow.requestPackets,
    requestBytes: flow.requestBytes,
    replyPackets: flow.replyPackets,
    replyBytes: flow.replyBytes,
  };
}

/** One JSON array, an element a line: a document for jq, and lines for grep. */
export function jsonLines(values: readonly object[]): string {
  if (values.length === 0) return '[]\n';
  return `[\n${values.map((value) => JSON.stringify(value)).join(',\n')}\n]\n`;
}

interface FlowCount {
  readonly service: string;
  readonly backend: string;
  readonly client: string;
  flows: number;
  readonly states: Record<FlowState, number>;
  stale: number;
  packets: number;
  bytes: number;
}

/** Numbers instead of flows: a row for each Service, endpoint, client or state, the most flows first, and their sum. */
export function formatFlowCounts(flows: readonly Flow[], group: FlowGroup, output: FlowsOutput): string {
  const counts = countFlows(flows, group);
  if (output === 'json') return jsonLines(counts.map((count) => countJson(count, group)));
  if (group === 'state') {
    const rows = FLOW_STATES.map((state) => [state, String(flows.filter((flow) => flow.state === state).length)]);
    return formatTable(['STATE', 'FLOWS'], [...rows, ['(all)', String(flows.length)]], { alignRight: [1] });
  }
  const labels = group === 'service' ? ['SERVICE'] : group === 'backend' ? ['SERVICE', 'BACKEND'] : ['CLIENT'];
  const header = [...labels, 'FLOWS', ...FLOW_STATES.map((state) => state.toUpperCase()), 'STALE', 'PACKETS', 'BYTES'];
  const rows = [...counts, sumOf(counts)].map((count) => [
    ...(group === 'service' ? [count.service] : group === 'backend' ? [count.service, count.backend] : [count.client]),
    ...[count.flows, ...FLOW_STATES.map((state) => count.states[state]), count.stale].map(String),
    formatCount(count.packets),
    formatOctets(count.bytes),
  ]);
  return formatTable(header, rows, { alignRight: header.map((_, i) => i).slice(labels.length) });
}

const emptyCount = (service: string, backend: string, client: string): FlowCount => ({
  ...{ service, backend, client, flows: 0, stale: 0, packets: 0, bytes: 0 },
  states: { syn: 0, established: 0, closing: 0, closed: 0, unreplied: 0, replied: 0 },
});

function countFlows(flows: readonly Flow[], group: FlowGroup): FlowCount[] {
  const counts = new Map<string, FlowCount>();
  for (const flow of flows) {
    const service = group === 'client' || group === 'state' ? '' : serviceCell(flow);
    const backend = group === 'backend' ? endText(flow.backend) : '';
    const client = group === 'client' ? formatIp(flow.client.address) : '';
    const key = `${service} ${backend} ${client}`;
    const count = counts.get(key) ?? emptyCount(service, backend, client);
    counts.set(key, count);
    count.flows++;
    count.states[flow.state]++;
    count.stale += Number(flow.isStale);
    count.packets += flow.requestPackets + flow.replyPackets;
    count.bytes += flow.requestBytes + flow.replyBytes;
  }
  return [...counts.values()].sort((a, b) => b.flows - a.flows || (a.service + a.backend < b.service + b.backend ? -1 : 1));
}

function sumOf(counts: readonly FlowCount[]): FlowCount {
  const sum = emptyCount('(all)', '', '(all)');
  for (const count of counts) {
    for (const state of FLOW_STATES) sum.states[state] += count.states[state];
    sum.flows += count.flows;
    sum.stale += count.stale;
    sum.packets += count.packets;
    sum.bytes += count.bytes;
  }
  return sum;
}

function countJson({ service, backend, client, ...numbers }: FlowCount, group: FlowGroup): object {
  if (group === 'state') return numbers;
  if (group === 'client') return { client, ...numbers };
  return group === 'service' ? { service, ...numbers } : { service, backend, ...numbers };
}
