// Addresses as strings of 16 octets (latin1), IPv4 as ::ffff:a.b.c.d: they are compared and put into keys, hardly ever read.
import { addressOctets, addressText } from '../../../src/datapath/address.ts';

export type Address = string & { readonly brand: 'address' };

const MAPPED = '\0\0\0\0\0\0\0\0\0\0\xff\xff';

export function addressAt(octets: Uint8Array, at: number, isV4: boolean): Address {
  let text = isV4 ? MAPPED : '';
  for (let i = at; i < at + (isV4 ? 4 : 16); i++) text += String.fromCharCode(octets[i]!);
  return text as Address;
}

export const addressOf = (text: string): Address => Buffer.from(addressOctets(text)).toString('latin1') as Address;
export const textOf = (address: Address): string => addressText(Buffer.from(address, 'latin1'));

/** Writes 4 or 16 octets. */
export function putAddress(octets: Uint8Array, at: number, address: Address, isV4: boolean): void {
  for (let from = isV4 ? 12 : 0, to = at; from < 16; from++, to++) octets[to] = address.charCodeAt(from);
}
