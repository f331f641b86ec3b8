// Addresses as kube-proxy reads them: IPv4 with leading zeros is decimal, IPv6 is shortened (RFC 5952), mapped IPv6 is refused.
import type { IpFamily } from './model.ts';

/** Octets of an address: 16 long, IPv4 as ::ffff:a.b.c.d, network order. Null when the text is no address. */
export function parseIp(text: string): Uint8Array | null {
  const octets = new Uint8Array(16);
  if (!text.includes(':')) {
    if (!writeV4(text, octets, 12)) return null;
    octets[10] = octets[11] = 0xff;
    return octets;
  }
  return writeV6(text, octets) && !isMapped(octets) ? octets : null;
}

function writeV4(text: string, octets: Uint8Array, at: number): boolean {
  const parts = text.split('.');
  if (parts.length !== 4) return false;
  return parts.every((part, i) => {
    if (!/^\d+$/.test(part) || Number(part) > 255) return false;
    octets[at + i] = Number(part);
    return true;
  });
}

function writeV6(text: string, octets: Uint8Array): boolean {
  const halves = text.split('::');
  if (halves.length > 2) return false;
  const groups = (half: string): string[] => (half === '' ? [] : half.split(':'));
  const head = groups(halves[0] ?? '');
  const tail = groups(halves[1] ?? '');
  const last = halves.length === 2 ? tail : head;
  const v4 = last.at(-1)?.includes('.') ? last.pop() : undefined;
  const width = head.length * 2 + tail.length * 2 + (v4 === undefined ? 0 : 4);
  if (halves.length === 2 ? width > 14 : width !== 16) return false;
  const write = (list: string[], at: number): boolean =>
    list.every((group, i) => {
      if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return false;
      const value = Number.parseInt(group, 16);
      octets[at + 2 * i] = value >> 8;
      octets[at + 2 * i + 1] = value & 0xff;
      return true;
    });
  const tailAt = 16 - tail.length * 2 - (v4 === undefined ? 0 : 4);
  return write(head, 0) && write(tail, halves.length === 2 ? tailAt : 16) && (v4 === undefined || writeV4(v4, octets, 12));
}

/** Whether 16 octets are an IPv4 address, as ::ffff:a.b.c.d. */
export function isMapped(octets: Uint8Array): boolean {
  if (octets[10] !== 0xff || octets[11] !== 0xff) return false;
  for (let i = 0; i < 10; i++) if (octets[i] !== 0) return false;
  return true;
}

/** Canonical text of 16 octets as parseIp makes them. */
export function formatIp(octets: Uint8Array): string {
  if (isMapped(octets)) return `${octets[12]}.${octets[13]}.${octets[14]}.${octets[15]}`;
  const groups = Array.from({ length: 8 }, (_, i) => ((octets[2 * i] ?? 0) << 8) | (octets[2 * i + 1] ?? 0));
  let best = { at: -1, length: 1 }; // a single zero group is not shortened
  for (let at = 0; at < 8; at++) {
    let length = 0;
    while (at + length < 8 && groups[at + length] === 0) length++;
    if (length > best.length) best = { at, length };
  }
  const text = (list: number[]): string => list.map((group) => group.toString(16)).join(':');
  if (best.at < 0) return text(groups);
  return `${text(groups.slice(0, best.at))}::${text(groups.slice(best.at + best.length))}`;
}

/** Canonical text of an address, or null when it is none. */
export function canonicalIp(text: string): string | null {
  const octets = parseIp(text);
  return octets && formatIp(octets);
}

/** Family of a canonical address. */
export function ipFamilyOf(address: string): IpFamily {
  return address.includes(':') ? 'IPv6' : 'IPv4';
}

/** '10.0.0.1:80' or '[fd00::1]:80'. */
export const hostPort = (ip: string, port: number): string => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`);

export interface Cidr {
  readonly family: IpFamily;
  readonly network: Uint8Array; // 16 octets, host bits zero
  readonly mask: Uint8Array; // 16 octets; IPv4: the leading 96 bits are ones
  readonly prefixLength: number; // as written: 0..32 or 0..128
  readonly text: string; // canonical
}

/** A CIDR block, or null when the text is none; space around it is no matter, as in kube-proxy. Host bits may be set, as Go's ParseCIDR allows; they are cleared. */
export function parseCidr(text: string): Cidr | null {
  const [address = '', length = '', ...rest] = text.trim().split('/');
  const octets = parseIp(address);
  if (!octets || rest.length > 0 || !/^\d{1,3}$/.test(length)) return null;
  const family = address.includes(':') ? 'IPv6' : 'IPv4';
  const prefixLength = Number(length);
  if (prefixLength > (family === 'IPv4' ? 32 : 128)) return null;
  const bits = family === 'IPv4' ? prefixLength + 96 : prefixLength;
  const mask = Uint8Array.from({ length: 16 }, (_, i) => (0xff00 >> Math.min(8, Math.max(0, bits - 8 * i))) & 0xff);
  const network = octets.map((octet, i) => octet & (mask[i] ?? 0));
  return { family, network, mask, prefixLength, text: `${formatIp(network)}/${prefixLength}` };
}

/** True when the address (16 octets) lies in the block. */
export function cidrContains(cidr: Cidr, octets: Uint8Array): boolean {
  return cidr.network.every((octet, i) => octet === ((octets[i] ?? 0) & (cidr.mask[i] ?? 0)));
}
