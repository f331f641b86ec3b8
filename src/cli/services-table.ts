// `turnout services`: which address leads where.
import type { OutputFormat } from './command.ts';
import { formatTable } from './table.ts';

/** One frontend: one address, port and protocol that the datapath translates. Filled from the pinned maps. */
export interface ServiceRow {
  readonly namespace: string;
  readonly name: string;
  /** '' when the port has no name. */
  readonly portName: string;
  readonly type: 'ClusterIP' | 'ExternalIP' | 'LoadBalancer' | 'NodePort';
  /** Canonical text; '*' for a node port, which answers on all node-port addresses. */
  readonly address: string;
  readonly port: number;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  /** 'ip:port' or '[ip]:port', in the order of the backend table. */
  readonly endpoints: readonly string[];
  /** Connections since the row was made; null when not known. */
  readonly connections: number | null;
  /** Connections refused for lack of endpoints; null when not known. */
  readonly rejects: number | null;
}

export interface ServicesOptions {
  readonly output: OutputFormat;
  /** Print every endpoint instead of the first three. */
  readonly allEndpoints: boolean;
}

const ENDPOINTS_SHOWN = 3;
const HEADER = ['NAMESPACE/NAME', 'PORT', 'TYPE', 'ADDRESS:PORT/PROTOCOL', 'ENDPOINTS', 'CONNECTIONS', 'REJECTS'];

/** The text of `turnout services`, with a final newline. Rows are sorted by Service, port, type and address. */
export function formatServices(rows: readonly ServiceRow[], options: ServicesOptions): string {
  const sorted = [...rows].sort(compareRows);
  if (options.output === 'json') return `${JSON.stringify(sorted, null, 2)}\n`;
  if (sorted.length === 0) return 'No Services are programmed. `turnout status` tells whether the datapath is installed.\n';
  const lines = sorted.map((row) => [
    `${row.namespace}/${row.name}`,
    row.portName === '' ? '-' : row.portName,
    row.type,
    `${joinHostPort(row.address, row.port)}/${row.protocol}`,
    endpointsText(row.endpoints, options.allEndpoints),
    row.connections === null ? '-' : String(row.connections),
    row.rejects === null ? '-' : String(row.rejects),
  ]);
  return formatTable(HEADER, lines, { alignRight: [5, 6] });
}

function endpointsText(endpoints: readonly string[], showsAll: boolean): string {
  if (endpoints.length === 0) return '0';
  const shown = showsAll ? endpoints : endpoints.slice(0, ENDPOINTS_SHOWN);
  const rest = endpoints.length - shown.length;
  return `${endpoints.length}: ${shown.join(', ')}${rest > 0 ? `, +${rest} more` : ''}`;
}

function joinHostPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

const TYPE_ORDER = ['ClusterIP', 'ExternalIP', 'LoadBalancer', 'NodePort'];

function compareRows(a: ServiceRow, b: ServiceRow): number {
  return (
    a.namespace.localeCompare(b.namespace) ||
    a.name.localeCompare(b.name) ||
    a.portName.localeCompare(b.portName) ||
    TYPE_ORDER.indexOf(a.type) - TYPE_ORDER.indexOf(b.type) ||
    a.address.localeCompare(b.address) ||
    a.port - b.port ||
    a.protocol.localeCompare(b.protocol)
  );
}
