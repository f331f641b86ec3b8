// `turnout top`: one look, as a table and as JSON.
import { formatIp } from '../state/ip.ts';
import { serviceText } from './endpoint-filter.ts';
import { endText } from './flows-table.ts';
import { formatTable } from './table.ts';
import { bytesOf, type TopOrder, type TrafficRow } from './traffic.ts';
import { formatCount, formatOctets } from './units.ts';

export interface TopView {
  readonly timeMs: number; // since the epoch
  /** Of the samples behind the rates; null: there was only one so far. */
  readonly intervalSeconds: number | null;
  readonly what: 'services' | 'backends';
  readonly by: TopOrder;
  /** Sorted. */
  readonly rows: readonly TrafficRow[];
  /** Rows at most; null: all. */
  readonly limit: number | null;
}

const RATES = ['CONN/S', 'ACTIVE', 'PACKETS/S', 'BYTES/S'];
const REFUSALS = ['REJECTS/S', 'DROPS/S']; // of Services: what is refused had no endpoint yet
const TOTALS = ['CONNECTIONS', 'BYTES'];
const ORDER_NAMES: Readonly<Record<TopOrder, string>> = {
  rate: 'connections a second',
  connections: 'connections',
  active: 'what is active',
  packets: 'packets a second',
  bytes: 'octets a second',
  rejects: 'rejects a second',
  drops: 'drops a second',
};

const clock = (timeMs: number): string => new Date(timeMs).toTimeString().slice(0, 8);
const perSecond = (rate: number, isKnown: boolean): string => (isKnown ? formatCount(rate, true) : '-');

/** Sum of all rows, also of those that are not shown. */
function headLine({ timeMs, intervalSeconds, what, by, rows }: TopView): string {
  const total = (count: (row: TrafficRow) => number): number => rows.reduce((all, row) => all + count(row), 0);
  const isKnown = intervalSeconds !== null;
  const rates = `${perSecond(
    total(({ rates }) => rates.connections),
    isKnown,
  )} connections/s`;
  const bytes = isKnown ? formatOctets(total((row) => row.rates.bytes)) : '-';
  const active = formatCount(total(({ traffic }) => traffic.active));
  const title = what === 'services' ? 'Services' : 'endpoints';
  return `${clock(timeMs)}  ${rows.length} ${title} by ${ORDER_NAMES[by]}; all: ${rates}, ${active} active, ${bytes} octets/s`;
}

/** The lines of a screen or a block, without newlines. */
export function topLines(view: TopView): string[] {
  const shown = view.limit === null ? view.rows : view.rows.slice(0, Math.max(0, view.limit));
  const isKnown = view.intervalSeconds !== null;
  const labels = view.what === 'services' ? ['SERVICE', 'PROTOCOL'] : ['SERVICE', 'BACKEND', 'PROTOCOL'];
  const header = [...labels, ...RATES, ...(view.what === 'services' ? REFUSALS : []), ...TOTALS];
  const cells = shown.map(({ service, protocol, backend, traffic, rates }) => [
    service === null ? '?' : serviceText(service),
    ...(backend === null ? [] : [endText(backend)]),
    protocol,
    perSecond(rates.connections, isKnown),
    formatCount(traffic.active),
    perSecond(rates.packets, isKnown),
    isKnown ? formatOctets(rates.bytes) : '-',
    ...(backend === null ? [rates.rejects, rates.drops].map((rate) => perSecond(rate, isKnown)) : []),
    formatCount(traffic.connections),
    formatOctets(bytesOf(traffic)),
  ]);
  const table = formatTable(header, cells, { alignRight: header.map((_, i) => i).slice(labels.length) });
  const rest = view.rows.length - shown.length;
  const none = view.rows.length === 0 ? ['No Service of this name is programmed.'] : [];
  return [headLine(view), '', ...table.trimEnd().split('\n'), ...none, ...(rest > 0 ? [`... and ${rest} more`] : [])];
}

/** One object on one line; counters are since the Service's or endpoint's row was made, rates per second. */
export function topJson(view: TopView): string {
  const shown = view.limit === null ? view.rows : view.rows.slice(0, view.limit);
  const rows = shown.map(({ service, protocol, backend, traffic, rates }) => ({
    ...(service === null
      ? { namespace: null, name: null, portName: null, port: null }
      : { namespace: service.namespace, name: service.name, portName: service.portName, port: service.port }),
    protocol,
    ...(backend === null ? {} : { backend: { address: formatIp(backend.address), port: backend.port } }),
    perSecond: Object.fromEntries(
      Object.entries(rates)
        .filter(([name]) => backend === null || (name !== 'rejects' && name !== 'drops'))
        .map(([name, rate]) => [name, Math.round(rate * 1000) / 1000]),
    ),
    active: traffic.active,
    totals: totalsJson(traffic, backend !== null),
  }));
  const time = new Date(view.timeMs).toISOString();
  return `${JSON.stringify({ time, intervalSeconds: view.intervalSeconds, [view.what]: rows })}\n`;
}

function totalsJson(traffic: TrafficRow['traffic'], isBackend: boolean): object {
  const { active: _, rejects, drops, ...rest } = traffic;
  return isBackend ? rest : { ...rest, rejects, drops };
}
