// ADDRESS|CIDR[:PORT] and NAMESPACE/NAME[:PORT] as filters. What is written wrongly is named with its place.
import { shellPattern, shellPatternFault } from '../config/shell-pattern.ts';
import { type Cidr, cidrContains, isMapped, parseCidr, parseIp } from '../state/ip.ts';
import { usageError } from './sub-command.ts';

/** Null stands for any. */
export interface EndpointFilter {
  readonly block: Cidr | null;
  readonly port: number | null;
}

/** What a filter of Services looks at. */
export interface ServiceIdentity {
  readonly namespace: string;
  readonly name: string;
  /** '' when the port has no name. */
  readonly portName: string;
  /** The port of its ClusterIP; 0 when not known. */
  readonly port: number;
}

export interface ServiceFilter {
  readonly namespace: RegExp;
  readonly name: RegExp;
  /** The port's name or its number; null: any. */
  readonly port: RegExp | null;
}

const FORMS = 'write ADDRESS, CIDR, ADDRESS:PORT, [IPV6-ADDRESS]:PORT or :PORT';

/** Throws BAD_ARGUMENTS naming the flag, what is wrong and at which character. */
export function parseEndpointFilter(flag: string, text: string): EndpointFilter {
  const { block, port } = splitPort(flag, text);
  return { block: block.text === '' ? null : blockOf(flag, text, block), port: port === null ? null : portOf(flag, text, port) };
}

interface Part {
  readonly text: string;
  readonly at: number; // position of its first character, from 1
}

function splitPort(flag: string, text: string): { block: Part; port: Part | null } {
  if (text === '') throw fault(flag, text, 'must not be empty');
  if (text.startsWith('[')) {
    const end = text.indexOf(']');
    if (end < 0) throw fault(flag, text, 'must close the [ at character 1 with a ]');
    const rest = text.slice(end + 1);
    if (rest !== '' && !rest.startsWith(':'))
      throw fault(flag, text, `must have a : and a port, or nothing, at character ${end + 2}`);
    const block = { text: text.slice(1, end), at: 2 };
    if (block.text === '') throw fault(flag, text, 'must have an address at character 2');
    return { block, port: rest === '' ? null : { text: rest.slice(1), at: end + 3 } };
  }
  const colon = text.indexOf(':');
  const isIpv6 = colon >= 0 && text.indexOf(':', colon + 1) >= 0;
  if (colon < 0 || isIpv6) return { block: { text, at: 1 }, port: null };
  return { block: { text: text.slice(0, colon), at: 1 }, port: { text: text.slice(colon + 1), at: colon + 2 } };
}

function blockOf(flag: string, text: string, { text: written, at }: Part): Cidr {
  const slash = written.indexOf('/');
  const address = slash < 0 ? written : written.slice(0, slash);
  if (!parseIp(address)) throw fault(flag, text, `must have an IP address at character ${at}, and "${address}" is none`);
  const longest = address.includes(':') ? 128 : 32;
  const block = parseCidr(slash < 0 ? `${address}/${longest}` : written);
  if (block) return block;
  throw fault(flag, text, `must have a prefix length from 0 to ${longest} at character ${at + slash + 1}`);
}

function portOf(flag: string, text: string, { text: written, at }: Part): number {
  const port = Number(written);
  if (/^\d+$/.test(written) && port >= 1 && port <= 65_535) return port;
  throw fault(flag, text, `must have a port from 1 to 65535 at character ${at}`);
}

/** address: 16 octets, IPv4 as ::ffff:a.b.c.d. */
export function matchesEndpoint(filter: EndpointFilter, address: Uint8Array, port: number): boolean {
  if (filter.port !== null && filter.port !== port) return false;
  if (filter.block === null) return true;
  // Every IPv4 address lies in ::ffff:0:0/96, and so in ::/0; who writes an IPv6 block means IPv6.
  return (filter.block.family === 'IPv4') === isMapped(address) && cidrContains(filter.block, address);
}

/** Patterns of shells; a Service that does not exist is no fault, since it may have gone. */
export function parseServiceFilter(flag: string, text: string): ServiceFilter {
  const slash = text.indexOf('/');
  if (slash < 0) throw fault(flag, text, `must be NAMESPACE/NAME or NAMESPACE/NAME:PORT; "*/${text}" means any namespace`);
  const colon = text.indexOf(':', slash);
  const parts: Part[] = [
    { text: text.slice(0, slash), at: 1 },
    { text: colon < 0 ? text.slice(slash + 1) : text.slice(slash + 1, colon), at: slash + 2 },
    ...(colon < 0 ? [] : [{ text: text.slice(colon + 1), at: colon + 2 }]),
  ];
  const [namespace, name, port] = parts.map((part) => {
    if (part.text === '') throw fault(flag, text, `must have a name or a pattern at character ${part.at}; * is any`);
    const wrong = shellPatternFault(part.text, part.at);
    if (wrong !== null) throw fault(flag, text, wrong);
    return shellPattern(part.text);
  });
  if (!namespace || !name) throw fault(flag, text, 'must be NAMESPACE/NAME');
  return { namespace, name, port: port ?? null };
}

export function matchesService(filter: ServiceFilter, service: ServiceIdentity): boolean {
  if (!filter.namespace.test(service.namespace) || !filter.name.test(service.name)) return false;
  return filter.port === null || filter.port.test(service.portName) || filter.port.test(String(service.port));
}

/** 'namespace/name:http', or the port's number where it has no name. */
export function serviceText({ namespace, name, portName, port }: ServiceIdentity): string {
  const suffix = portName !== '' ? portName : port > 0 ? String(port) : '';
  return suffix === '' ? `${namespace}/${name}` : `${namespace}/${name}:${suffix}`;
}

function fault(flag: string, text: string, what: string): Error {
  return usageError(
    'BAD_ARGUMENTS',
    `--${flag}: "${text}" ${what}`,
    flag === 'service' ? 'write NAMESPACE/NAME[:PORT]; * and ? are patterns' : FORMS,
  );
}
