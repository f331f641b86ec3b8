// IP addresses and CIDRs as kube-proxy reads them: octets with leading zeros are decimal.
import { isIPv4, isIPv6 } from 'node:net';
import type { IpFamily } from '../state/model.ts';

export interface IpText {
  readonly family: IpFamily;
  /** Without leading zeros in IPv4 octets; IPv6 as written. */
  readonly address: string;
}

/** The address, or null when `text` is not one. Zones (fe80::1%eth0) are refused. */
export function parseIpText(text: string): IpText | null {
  const address = /^\d{1,9}(?:\.\d{1,9}){3}$/.test(text) ? text.replaceAll(/\b0+(?=\d)/g, '') : text;
  if (isIPv4(address)) return { family: 'IPv4', address };
  return isIPv6(address) && !address.includes('%') ? { family: 'IPv6', address } : null;
}

/** 'address/length' and its family, or null. Host bits may be set, as in Go. */
export function parseCidrText(text: string): { readonly family: IpFamily; readonly cidr: string } | null {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(text);
  const ip = match === null ? null : parseIpText(match[1] ?? '');
  const length = Number(match?.[2]);
  if (ip === null || length > (ip.family === 'IPv4' ? 32 : 128)) return null;
  return { family: ip.family, cidr: `${ip.address}/${length}` };
}
