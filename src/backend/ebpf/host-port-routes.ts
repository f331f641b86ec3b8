// Routes and policy rules of the host's port, as lines for `ip -batch` and back from `ip -json`. Pure.
import type { IpFamily } from '../../state/model.ts';
import { ALIAS_NETWORKS, CANARY_ADDRESS, NEXT_HOPS } from './host-aliases.ts';
import type { HostPortNeed } from './host-port-needs.ts';

/** The node's end, where its packets go in; and the datapath's end, where they come out. */
export const HOST_END = 'turnout0';
export const DATAPATH_END = 'turnout1';

/** One of the two, by name: it is we who make them. */
export const isHostPort = ({ name, kind }: { readonly name: string; readonly kind: string }): boolean =>
  kind === 'veth' && (name === HOST_END || name === DATAPATH_END);

/** 't', 'u' as a number: addresses that go to the port as a whole, and aliases. */
export const ADDRESS_TABLE = 0x7475;
/** Everything, for what the rules of single ports send here. */
export const PORT_TABLE = ADDRESS_TABLE + 1;
/** Before everybody's routing of ordinary traffic, after table local: what is the node's own stays with it. */
const PREFERENCE = 100;

/** By name: what is compared. Values are the arguments after `rule add` or `route replace`. */
export type Lines = Map<string, string>;

/**
 * `iif lo` holds for what the node itself sends, and for the kernel's look at where a source would be reached (rp_filter). What is
 * forwarded never comes to the port. Aliases have a rule of their own, so that nobody's source routing leads replies elsewhere.
 */
function ruleLine(destination: string, protocol: number, port: number): string {
  const to = destination === '' ? '' : ` to ${destination}`;
  const table = port === 0 ? ADDRESS_TABLE : PORT_TABLE;
  return `pref ${PREFERENCE} iif lo${to}${port === 0 ? '' : ` ipproto ${protocol} dport ${port}`} lookup ${table}`;
}
const aliasRule = (family: IpFamily): string => `pref ${PREFERENCE} to ${ALIAS_NETWORKS[family]} lookup ${ADDRESS_TABLE}`;

/** `source`: what a socket that has none yet gets; '' : the kernel's choice. */
function routeLine(family: IpFamily, destination: string, table: number, source: string): string {
  const preferred = source === '' ? '' : ` src ${source}`;
  return `${destination} via ${NEXT_HOPS[family]} dev ${HOST_END} onlink${preferred} table ${table}`;
}

const routeName = (destination: string, table: number): string => `route ${destination} table ${table}`;

/** What is there as long as the port is. */
export function standingLines(family: IpFamily, source: string): Lines {
  const aliases = ALIAS_NETWORKS[family];
  const rules = [ruleLine('', 0, 0), aliasRule(family)].map((line): [string, string] => [`rule ${line}`, line]);
  const canary: [string, string][] =
    family === 'IPv4'
      ? [[routeName(CANARY_ADDRESS, ADDRESS_TABLE), routeLine(family, CANARY_ADDRESS, ADDRESS_TABLE, source)]]
      : [];
  return new Map([
    [routeName(aliases, ADDRESS_TABLE), `${aliases} dev ${DATAPATH_END} table ${ADDRESS_TABLE}`],
    [routeName('default', PORT_TABLE), routeLine(family, 'default', PORT_TABLE, source)],
    ...canary,
    ...rules,
  ]);
}

/** The name and the line of a route, or of the rule of a single port. */
export function needLine(need: HostPortNeed, source: string): [string, string] {
  const { family, destination, protocol, port } = need;
  if (port === 0) return [routeName(destination, ADDRESS_TABLE), routeLine(family, destination, ADDRESS_TABLE, source)];
  const line = ruleLine(destination, protocol, port);
  return [`rule ${line}`, line];
}

/** The need that a rule or route stands for, by its name (needName); '' : one that is always there. */
export function needNameOfLine(name: string): string {
  const [, destination, protocol, port] = / to (\S+) ipproto (\d+) dport (\d+) lookup /.exec(name) ?? [];
  if (destination !== undefined) return `${destination} ${protocol} ${port}`;
  const [, address] = new RegExp(`^route (\\S+) table ${ADDRESS_TABLE}$`).exec(name) ?? [];
  return address === undefined ? '' : `${address} 0 0`;
}

export const isPortRule = (name: string): boolean => name.startsWith('rule ') && name.endsWith(`lookup ${PORT_TABLE}`);

interface JsonRule {
  readonly priority: number;
  readonly dst?: string;
  readonly dstlen?: number;
  readonly iif?: string;
  readonly ipproto?: string;
  readonly dport?: number;
  readonly table?: string;
}
interface JsonRoute {
  readonly dst: string;
  readonly gateway?: string;
  readonly dev?: string;
  readonly prefsrc?: string;
}

const PROTOCOLS: Readonly<Record<string, string>> = { tcp: '6', udp: '17', sctp: '132' };
/** By name where the system has /etc/protocols, else 'ipproto-6'. */
const protocolNumber = (text: string): string => PROTOCOLS[text] ?? text.replace('ipproto-', '');

/** Rules of ours in what `ip -json rule show` says: those that lead to our tables. */
export function readRules(json: string): Lines {
  const lines: Lines = new Map();
  for (const rule of parseList<JsonRule>(json)) {
    if (rule.table !== String(ADDRESS_TABLE) && rule.table !== String(PORT_TABLE)) continue;
    const to = rule.dst === undefined ? '' : ` to ${rule.dst}${rule.dstlen === undefined ? '' : `/${rule.dstlen}`}`;
    const port = rule.dport === undefined ? '' : ` dport ${rule.dport}`;
    const protocol = rule.ipproto === undefined ? '' : ` ipproto ${protocolNumber(rule.ipproto)}`;
    const iif = rule.iif === undefined ? '' : ` iif ${rule.iif}`;
    const line = `pref ${rule.priority}${iif}${to}${protocol}${port} lookup ${rule.table}`;
    lines.set(`rule ${line}`, line);
  }
  return lines;
}

/** Routes in what `ip -json route show table N` says; a table without any is no JSON at all. */
export function readRoutes(json: string, table: number): Lines {
  const lines: Lines = new Map();
  for (const { dst, gateway, dev, prefsrc } of parseList<JsonRoute>(json)) {
    const via = gateway === undefined ? '' : ` via ${gateway}`;
    const onlink = gateway === undefined ? '' : ' onlink';
    const source = prefsrc === undefined ? '' : ` src ${prefsrc}`;
    lines.set(routeName(dst, table), `${dst}${via} dev ${dev ?? ''}${onlink}${source} table ${table}`);
  }
  return lines;
}

function parseList<T>(json: string): T[] {
  try {
    const parsed: unknown = JSON.parse(json);
    return Array.isArray(parsed) ? (parsed as T[]) : [];
  } catch {
    return [];
  }
}

/** What `ip -batch` is to do so that `names` are as wanted. New rules come before old ones go; a route is replaced in place. */
export function batchOf(names: Iterable<string>, present: Lines, wanted: Lines): string[] {
  const [added, removed]: [string[], string[]] = [[], []];
  for (const name of names) {
    const [is, shall] = [present.get(name), wanted.get(name)];
    const kind = name.startsWith('rule ') ? 'rule' : 'route';
    if (shall !== undefined && shall !== is) added.push(`${kind} ${kind === 'rule' ? 'add' : 'replace'} ${shall}`);
    if (shall === undefined && is !== undefined) removed.push(`${kind} del ${is}`);
  }
  // Routes before the rules that lead to them.
  added.sort((a, b) => Number(a.startsWith('rule')) - Number(b.startsWith('rule')));
  removed.sort((a, b) => Number(b.startsWith('rule')) - Number(a.startsWith('rule')));
  return [...added, ...removed];
}
