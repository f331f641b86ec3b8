// Aliases of the node's addresses on the host's port, one for one. Pure. (bpf/host_alias.h says what they are for)
import { addressOctets, addressText } from '../../datapath/address.ts';
import type { NetlinkAddress } from '../../native/addon.ts';
import { type Cidr, cidrContains, ipFamilyOf, parseCidr } from '../../state/ip.ts';
import type { IpFamily } from '../../state/model.ts';

/** Link-local, and unique local (RFC 4193, "turnout" in ASCII): no router passes the one, and nobody else uses the other. */
export const ALIAS_NETWORKS: Readonly<Record<IpFamily, string>> = {
  IPv4: '169.254.116.0/24',
  IPv6: 'fd74:7572:6e6f:7574::/64',
};
/** What routes over the port name as their next hop, so that all destinations share one neighbour. No alias. */
export const NEXT_HOPS: Readonly<Record<IpFamily, string>> = { IPv4: '169.254.116.254', IPv6: 'fe80::1' };
/** The only address on the port, for the kernel's look at sources (host-port-devices.ts). No alias, and nobody's source. */
export const HOST_END_ADDRESS = '169.254.116.255';
/** The canary's Service (canary-packets.ts). No alias, and on no device. */
export const CANARY_ADDRESS = '169.254.116.0';

const FIRST = 1;
const LAST = 253; // of the last octet
const SCOPE_GLOBAL = 0;
const networks: Readonly<Record<IpFamily, Cidr | null>> = {
  IPv4: parseCidr(ALIAS_NETWORKS.IPv4),
  IPv6: parseCidr(ALIAS_NETWORKS.IPv6),
};

/** Link-local IPv6 addresses never talk to a Service, and the kernel sends nothing from loopback addresses over a device. */
function canSend({ address }: NetlinkAddress): boolean {
  return address !== '::1' && !address.startsWith('127.') && !/^fe[89ab]/.test(address);
}

export const isAlias = (address: string): boolean => {
  const network = networks[ipFamilyOf(address)];
  return network !== null && cidrContains(network, addressOctets(address));
};

export interface Aliases {
  readonly aliases: ReadonlyMap<string, string>; // address -> alias
  readonly without: readonly string[]; // addresses for which none was left
}

/**
 * An alias for every address that can send, global ones first. What has one keeps it, because flows know the alias; another gets the
 * alias that ends as the address does, where that is free, so that captures can be read.
 */
export function allocateAliases(addresses: readonly NetlinkAddress[], known: ReadonlyMap<string, string>): Aliases {
  const sorted = [...addresses].sort((a, b) => Number(a.scope !== SCOPE_GLOBAL) - Number(b.scope !== SCOPE_GLOBAL));
  const wanted = new Set(sorted.filter(canSend).map(({ address }) => address));
  const aliases = new Map([...known].filter(([address]) => wanted.has(address)));
  const taken = new Set(aliases.values());
  const without: string[] = [];
  for (const address of wanted) {
    if (aliases.has(address)) continue;
    const alias = freeAlias(address, (one) => taken.has(one) || wanted.has(one));
    if (alias === null) without.push(address);
    else aliases.set(address, alias);
    if (alias !== null) taken.add(alias);
  }
  return { aliases, without };
}

function freeAlias(address: string, isTaken: (alias: string) => boolean): string | null {
  const octets = addressOctets(address);
  const network = networks[ipFamilyOf(address)];
  if (!network) return null;
  const host = octets.map((octet, i) => (network.network[i] ?? 0) | (octet & ~(network.mask[i] ?? 0)));
  const start = Math.min(Math.max(octets[15] ?? 0, FIRST), LAST);
  for (let i = 0; i <= LAST - FIRST; i++) {
    host[15] = FIRST + ((start - FIRST + i) % (LAST - FIRST + 1));
    const alias = addressText(host);
    if (!isTaken(alias)) return alias;
  }
  return null;
}
