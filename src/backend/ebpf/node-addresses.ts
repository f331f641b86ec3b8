// Addresses of this node, and on which of them node ports are served. Pure. (kube-proxy-parity.md 5.5 NodePorts)
import { addressOctets } from '../../datapath/address.ts';
import { AddressFlag } from '../../datapath/layout.gen.ts';
import type { NetlinkAddress } from '../../native/addon.ts';
import { type Cidr, cidrContains, ipFamilyOf, parseCidr } from '../../state/ip.ts';

/** `nodePortAddresses` with its keywords put into CIDRs. nodeIPs: at most one each family, for `primary`. */
export function nodePortBlocks(nodePortAddresses: readonly string[], nodeIPs: readonly string[]): Cidr[] {
  const texts = nodePortAddresses.flatMap((text) => {
    if (text === 'all') return ['0.0.0.0/0', '::/0'];
    if (text === 'localhost') return ['127.0.0.0/8', '::1/128'];
    if (text === 'primary') return nodeIPs.map((ip) => `${ip}/${ipFamilyOf(ip) === 'IPv4' ? 32 : 128}`);
    return [text];
  });
  return texts.map(parseCidr).filter((cidr) => cidr !== null);
}

const isLoopback = (address: string): boolean => address === '::1' || address.startsWith('127.');

/**
 * Flags (enum lb_address_flag) by canonical address. A family without a block serves node ports on all of its addresses. Loopback addresses are
 * not served here: the socket path does that, for processes of the host.
 */
export function nodeAddressFlags(addresses: readonly NetlinkAddress[], blocks: readonly Cidr[]): Map<string, number> {
  const flags = new Map<string, number>();
  for (const { address } of addresses) {
    const family = ipFamilyOf(address);
    const ofFamily = blocks.filter((block) => block.family === family);
    const isServed = ofFamily.length === 0 || ofFamily.some((block) => cidrContains(block, addressOctets(address)));
    const nodePort = isServed && !isLoopback(address) ? AddressFlag.LB_ADDRESS_NODE_PORT : 0;
    flags.set(address, AddressFlag.LB_ADDRESS_NODE | nodePort);
  }
  return flags;
}

/** Whether node ports are served on loopback addresses of a family at all: localhostNodePorts, and covered by the blocks. */
export function servesLocalhost(blocks: readonly Cidr[], family: 'IPv4' | 'IPv6'): boolean {
  const ofFamily = blocks.filter((block) => block.family === family);
  const loopback = addressOctets(family === 'IPv4' ? '127.0.0.1' : '::1');
  return ofFamily.length === 0 || ofFamily.some((block) => cidrContains(block, loopback));
}
