// Addresses as union lb_addr holds them.
import { formatIp, hostPort, parseIp } from '../state/ip.ts';

/** 16 octets of a canonical address, IPv4 as ::ffff:a.b.c.d. Throws on text that is no address: state/ lets none through. */
export function addressOctets(address: string): Uint8Array {
  const octets = parseIp(address);
  if (!octets) throw new TypeError(`not an IP address: ${address}`);
  return octets;
}

export const addressText = (octets: Uint8Array): string => formatIp(octets);

/** The zero address of a family: the address of its node-port rows. */
export const zeroAddress = (family: 'IPv4' | 'IPv6'): Uint8Array => addressOctets(family === 'IPv4' ? '0.0.0.0' : '::');

/** '10.0.0.1:80' or '[fd00::1]:80'. */
export const endpointText = ({ address, port }: { readonly address: Uint8Array; readonly port: number }): string =>
  hostPort(addressText(address), port);
