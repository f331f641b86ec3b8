// `turnout services`: which address leads where.
import { hostPort } from '../state/ip.ts';
import type { OutputFormat } from './command.ts';
import { formatTable } from './table.ts';
import { formatOctets } from './units.ts';

/** One frontend: one address, port and protocol that the datapath translates. Filled from the pinned maps. */
export interface ServiceRow {
  readonly namespace: string;
  readonly name: string;
  /** '' when the port has no name. */
  readonly portName: string;
  /** ExternalIP is any other address than the ClusterIP: the pinned maps do not tell load-balancer IPs from external ones. */
  readonly type: 'ClusterIP' | 'ExternalIP' | 'NodePort';
  /** Canonical text; '*' for a node port, which answers on all node-port addresses. */
  readonly address: string;
  readonly port: number;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  /** 'ip:port' or '[ip]:port', in the order of the backend table. */
  readonly endpoints: readonly string[];
  /** Connections of the Service port in this family, through whichever of its addresses; null when not known. */
  readonly connections: number | null;
  /** Flows that are not closed, and open sockets that connect() translated. */
  readonly active: number | null;
  /** Connections that were refused for lack of endpoints. */
  readonly rejects: number | null;
  /** Packets that were dropped after their Service was known. */
  readonly drops: number | null;
  /** Packets and octets of flows, both ways, from the IP header on; translated sockets have none here. */
  readonly packets: number | null;
  readonly bytes: number | null;
}

export interface ServicesOptions {
  readonly output: OutputFormat;
  /** Print every endpoint instead of the first three. */
  readonly allEndpoints: boolean;
}

const ENDPOINTS_SHOWN = 3;
const HEADER = [
  'NAMESPACE/NAME',
  'PORT',
  'TYPE',
  'ADDRESS:PORT/PROTOCOL',
  'ENDPOINTS',
  'CONNECTIONS',
  'ACTIVE',
  'REJECTS',
  'DROPS',
  'BYTES',
];

const TYPE_NAMES = { ClusterIP: 'ClusterIP', ExternalIP: 'External', NodePort: 'NodePort' };

/**
 * The text of `turnout services`, with a final newline. Rows are sorted by Service, port, family, type and address. The table
 * shows counters once for each Service port and family, on its first row; JSON has them on every row.
 */
export function formatServices(rows: readonly ServiceRow[], options: ServicesOptions): string {
  const { compareRows, compareUnits } = orderOf(rows);
  const sorted = [...rows].sort(compareRows);
  if (options.output === 'json') return `${JSON.stringify(sorted, null, 2)}\n`;
  if (sorted.length === 0) return 'No Services are programmed. `turnout status` tells whether turnout runs.\n';
  const lines = sorted.map((row, index) => {
    const previous = sorted[index - 1];
    const isFirst = previous === undefined || compareUnits(previous, row) !== 0;
    return [
      `${row.namespace}/${row.name}`,
      row.portName === '' ? '-' : row.portName,
      TYPE_NAMES[row.type],
      `${hostPort(row.address, row.port)}/${row.protocol}`,
      endpointsText(row.endpoints, options.allEndpoints),
      ...counterCells(row).map((cell) => (isFirst ? cell : '')),
    ];
  });
  return formatTable(HEADER, lines, { alignRight: [5, 6, 7, 8, 9] });
}

function counterCells({ connections, active, rejects, drops, bytes }: ServiceRow): string[] {
  return [
    ...[connections, active, rejects, drops].map((count) => String(count ?? '-')),
    bytes === null ? '-' : formatOctets(bytes),
  ];
}

function endpointsText(endpoints: readonly string[], showsAll: boolean): string {
  if (endpoints.length === 0) return '0';
  const shown = showsAll ? endpoints : endpoints.slice(0, ENDPOINTS_SHOWN);
  const rest = endpoints.length - shown.length;
  return `${endpoints.length}: ${shown.join(', ')}${rest > 0 ? `, +${rest} more` : ''}`;
}

const TYPE_ORDER = ['ClusterIP', 'ExternalIP', 'NodePort'];

type Comparison = (a: ServiceRow, b: ServiceRow) => number;

/** compareUnits is 0 for rows that share their counters; compareRows is the order of the table. */
function orderOf(rows: readonly ServiceRow[]): { readonly compareUnits: Comparison; readonly compareRows: Comparison } {
  const portOf = ({ namespace, name, portName, protocol }: ServiceRow): string =>
    JSON.stringify([namespace, name, portName, protocol]);
  const ipv4Ports = new Set(rows.filter(({ address }) => address.includes('.')).map(portOf));
  // '*' says nothing of its family, but its endpoints do; without any, it goes with the Service port's first family.
  const isIpv6 = (row: ServiceRow): boolean => {
    if (row.address !== '*') return row.address.includes(':');
    const [endpoint] = row.endpoints;
    return endpoint === undefined ? !ipv4Ports.has(portOf(row)) : endpoint.startsWith('[');
  };
  const compareUnits: Comparison = (a, b) =>
    a.namespace.localeCompare(b.namespace) ||
    a.name.localeCompare(b.name) ||
    a.portName.localeCompare(b.portName) ||
    a.protocol.localeCompare(b.protocol) ||
    Number(isIpv6(a)) - Number(isIpv6(b));
  const compareRows: Comparison = (a, b) =>
    compareUnits(a, b) ||
    TYPE_ORDER.indexOf(a.type) - TYPE_ORDER.indexOf(b.type) ||
    a.address.localeCompare(b.address) ||
    a.port - b.port;
  return { compareUnits, compareRows };
}
