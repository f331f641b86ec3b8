// Files about nodePortAddresses: on which addresses of a node its node ports are served.
import { nodeAddressFlags, nodePortBlocks, servesLocalhost } from '../../../src/backend/ebpf/node-addresses.ts';
import { AddressFlag } from '../../../src/datapath/layout.gen.ts';
import type { NetlinkAddress } from '../../../src/native/addon.ts';
import { type Cidr, canonicalIp, ipFamilyOf } from '../../../src/state/ip.ts';
import type { IpFamily } from '../../../src/state/model.ts';
import { asSet, compare, compareFields } from './compare.ts';
import type { Json, TableCase } from './table-file.ts';

const FAMILIES = ['IPv4', 'IPv6'] as const;
// No block of a table but those of length zero has both of a family: whoever serves them serves any address.
const FAR_APART = { IPv4: ['1.0.0.1', '223.255.255.254'], IPv6: ['2000::1', 'fdff:ffff::1'] };

const isLoopback = (address: string): boolean => address === '::1' || address.startsWith('127.');

/** Of these addresses those on which node ports are served: for everybody, or on loopback for processes of the host. */
function servedOf(addresses: readonly string[], blocks: readonly Cidr[]): string[] {
  const rows = addresses.map((address): NetlinkAddress => {
    return { address, ifindex: 1, prefixLength: 32, scope: 0, flags: 0, family: ipFamilyOf(address) === 'IPv4' ? 4 : 6 };
  });
  const flags = nodeAddressFlags(rows, blocks);
  const isServed = (address: string): boolean =>
    ((flags.get(address) ?? 0) & AddressFlag.LB_ADDRESS_NODE_PORT) !== 0 ||
    (isLoopback(address) && servesLocalhost(blocks, ipFamilyOf(address)));
  return addresses.filter(isServed);
}

const servesAny = (family: IpFamily, blocks: readonly Cidr[]): boolean => servedOf(FAR_APART[family], blocks).length === 2;

export function nodePortAddresses({ nodePortAddresses, interfaces, expect }: TableCase): string[] {
  const addresses: string[] = interfaces
    .flatMap((one: Json) => one.addresses)
    .map((text: string) => canonicalIp(text.split('/')[0] ?? '') ?? text);
  const blocks = nodePortBlocks(nodePortAddresses, []);
  return FAMILIES.flatMap((family) => {
    const served = servedOf(addresses, blocks).filter((address) => ipFamilyOf(address) === family);
    return [
      ...compare(`${family} matchAll`, servesAny(family, blocks), expect[family].matchAll),
      ...compare(`${family} ips`, asSet(served), asSet(expect[family].ips)),
    ];
  });
}

/** The question is about IPv4's loopback, which the IPv6 part of the list never has; ::1 is another one ("Profiles"). */
export function nodePortAddressesLoopback({ nodePortAddresses, expect }: TableCase): string[] {
  const address = '127.0.0.1';
  const blocks = nodePortBlocks(nodePortAddresses, []);
  return FAMILIES.flatMap((family) => {
    const isServed = ipFamilyOf(address) === family && servedOf([address], blocks).length > 0;
    return compare(family, isServed, expect[family]);
  });
}

/** A list of this CIDR alone serves every address of its family, and not because the family has no block. */
export function zeroCidr({ cidr, expect }: TableCase): string[] {
  const blocks = nodePortBlocks([cidr], []);
  return compareFields(expect, { zero: () => blocks.some(({ family }) => servesAny(family, blocks)) });
}
