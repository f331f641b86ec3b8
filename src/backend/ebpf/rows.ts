// One unit -> the rows that stand for it. Pure.
import { addressOctets, zeroAddress } from '../../datapath/address.ts';
import { FrontendFlag, type FrontendKey } from '../../datapath/layout.gen.ts';
import { cidrContains, ipFamilyOf, parseCidr } from '../../state/ip.ts';
import type { Endpoint, Protocol, ServicePort } from '../../state/model.ts';

/** IANA protocol numbers of what the programs translate. */
export const PROTOCOL_NUMBERS: Readonly<Record<string, number>> = { TCP: 6, UDP: 17, SCTP: 132 };
const PROTOCOL_NAMES = new Map(Object.entries(PROTOCOL_NUMBERS).map(([name, number]) => [number, name as Protocol]));
export const protocolName = (number: number): Protocol | null => PROTOCOL_NAMES.get(number) ?? null;

export interface FrontendRow {
  readonly key: FrontendKey;
  readonly flags: number; // enum lb_frontend_flag
}

/** What tells two backend lists apart, and names an endpoint within its unit. */
export const endpointKey = ({ ip, port }: Endpoint): string => `${ip} ${port}`;
export const listKey = (endpoints: readonly Endpoint[]): string =>
  endpoints.map((endpoint) => `${endpointKey(endpoint)}${endpoint.isLocal ? ' local' : ''}`).join(',');

/** A row for the ClusterIP, each external and load-balancer IP, and the node port. */
export function frontendRowsOf(unit: ServicePort): FrontendRow[] {
  const protocol = PROTOCOL_NUMBERS[unit.protocol];
  if (protocol === undefined) return [];
  const common =
    (unit.hasEndpoints ? FrontendFlag.LB_FRONTEND_HAS_ENDPOINTS : 0) |
    // Under a Local policy the cluster list may be empty, and hints may leave local endpoints out of it.
    ([...unit.clusterEndpoints, ...unit.localEndpoints].some(({ isLocal }) => isLocal) ? FrontendFlag.LB_FRONTEND_HAS_LOCAL : 0) |
    (unit.sessionAffinitySeconds > 0 ? FrontendFlag.LB_FRONTEND_AFFINITY : 0);
  const local = (policy: ServicePort['internalTrafficPolicy']): number =>
    policy === 'Local' ? FrontendFlag.LB_FRONTEND_LOCAL_ONLY : 0;
  const internal = common | local(unit.internalTrafficPolicy);
  const external = common | FrontendFlag.LB_FRONTEND_EXTERNAL | local(unit.externalTrafficPolicy);
  const restricted = new Set(unit.sourceRanges.length > 0 ? unit.loadBalancerVIPs : []);
  const vips = new Set([...unit.externalIPs, ...unit.loadBalancerVIPs]);
  vips.delete(unit.clusterIP);
  const rows: FrontendRow[] = [];
  // The canary's units have none.
  if (unit.clusterIP !== '')
    rows.push({ key: { address: addressOctets(unit.clusterIP), port: unit.port, protocol }, flags: internal });
  for (const vip of vips) {
    const flags = external | (restricted.has(vip) ? FrontendFlag.LB_FRONTEND_SOURCE_RANGES : 0);
    rows.push({ key: { address: addressOctets(vip), port: unit.port, protocol }, flags });
  }
  if (unit.nodePort > 0) {
    const key = { address: zeroAddress(unit.ipFamily), port: unit.nodePort, protocol };
    rows.push({ key, flags: external | FrontendFlag.LB_FRONTEND_NODE_PORT });
  }
  return rows;
}

/**
 * Who may use the load-balancer IPs of a unit with source ranges, as CIDRs. Where the node itself may, so may packets whose
 * source is a load-balancer IP: that is what the node's own packets have when the address is bound on it. (kube-proxy-parity.md 5.5)
 */
export function allowedSources(unit: ServicePort, nodeIPs: readonly string[]): string[] {
  if (unit.sourceRanges.length === 0 || unit.loadBalancerVIPs.length === 0) return [];
  const blocks = unit.sourceRanges.map(parseCidr).filter((cidr) => cidr !== null);
  const nodeIP = nodeIPs.find((ip) => ipFamilyOf(ip) === unit.ipFamily);
  const includesNode = nodeIP !== undefined && blocks.some((block) => cidrContains(block, addressOctets(nodeIP)));
  const hostLength = unit.ipFamily === 'IPv4' ? 32 : 128;
  return [...unit.sourceRanges, ...(includesNode ? unit.loadBalancerVIPs.map((vip) => `${vip}/${hostLength}`) : [])];
}
