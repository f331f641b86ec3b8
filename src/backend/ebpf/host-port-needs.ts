// Which routes and rules of the host's port the Services ask for, counted, so that a change costs what changed. Pure.
import { addressOctets } from '../../datapath/address.ts';
import { type Cidr, cidrContains, parseCidr } from '../../state/ip.ts';
import type { Changes, DesiredState, IpFamily, ServicePort } from '../../state/model.ts';
import { PROTOCOL_NUMBERS } from './rows.ts';

/** Traffic of the node that goes to the port: all that is sent to a block, or what is sent to one port of an address. */
export interface HostPortNeed {
  readonly family: IpFamily;
  readonly destination: string; // address, or CIDR
  readonly protocol: number; // IANA; 0: any
  readonly port: number; // 0: any
}

export const needName = (need: HostPortNeed): string => `${need.destination} ${need.protocol} ${need.port}`;

/**
 * Addresses of the unit, other than its ClusterIP, whose traffic needs the port. Where connect() translates the node's TCP and UDP that
 * is SCTP, and what the socket path leaves to the packet: load-balancer IPs with source ranges.
 */
function externalAddresses(unit: ServicePort, byConnect: boolean): readonly string[] {
  if (!byConnect || unit.protocol === 'SCTP') return [...unit.externalIPs, ...unit.loadBalancerVIPs];
  return unit.sourceRanges.length > 0 ? unit.loadBalancerVIPs : [];
}

/**
 * ClusterIPs belong to Services alone, so the whole address goes to the port. Any other address may be a real machine's (that of
 * another node, where a load balancer of the nodes' own announces it): only the Service's port may go there, all else must not; and
 * a connection that the node has there when the Service comes would be cut off, so nothing goes there without need.
 */
export function needsOf(unit: ServicePort, blocks: readonly Cidr[], byConnect: boolean): HostPortNeed[] {
  const protocol = PROTOCOL_NUMBERS[unit.protocol];
  if (protocol === undefined) return [];
  const family = unit.ipFamily;
  const needs: HostPortNeed[] = [];
  const octets = addressOctets(unit.clusterIP);
  if (!blocks.some((block) => block.family === family && cidrContains(block, octets)))
    needs.push({ family, destination: unit.clusterIP, protocol: 0, port: 0 });
  for (const destination of new Set(externalAddresses(unit, byConnect)))
    if (destination !== unit.clusterIP) needs.push({ family, destination, protocol, port: unit.port });
  return needs;
}

export class HostPortNeeds {
  readonly #units = new Map<string, readonly HostPortNeed[]>();
  readonly #wanted = new Map<string, { readonly need: HostPortNeed; count: number }>();
  #cidrs = '';
  #blocks: readonly Cidr[] = [];
  readonly #byConnect: boolean;

  /** byConnect: the socket path translates TCP and UDP of every process of the node. */
  constructor(byConnect: boolean) {
    this.#byConnect = byConnect;
  }

  /** Everything that is wanted now. */
  *[Symbol.iterator](): IterableIterator<HostPortNeed> {
    for (const { need } of this.#wanted.values()) yield need;
  }

  wants(need: HostPortNeed): boolean {
    return this.#wanted.has(needName(need));
  }

  /** Takes the changes in. Returns what is wanted now and was not, or the other way round; some may turn out to be as before. */
  update({ servicePorts, serviceCIDRs }: DesiredState, changes: Changes): HostPortNeed[] {
    const touched: HostPortNeed[] = [];
    const cidrs = [...serviceCIDRs].sort().join(' ');
    const isAll = changes.full || cidrs !== this.#cidrs;
    if (isAll) {
      touched.push(...this);
      this.#units.clear();
      this.#wanted.clear();
      this.#cidrs = cidrs;
      this.#blocks = serviceCIDRs.map(parseCidr).filter((block) => block !== null);
      for (const { family, text } of this.#blocks) this.#add({ family, destination: text, protocol: 0, port: 0 }, touched);
    }
    for (const key of isAll ? servicePorts.keys() : [...changes.removed, ...changes.upserted]) {
      const unit = servicePorts.get(key);
      const before = this.#units.get(key) ?? [];
      const now = unit ? needsOf(unit, this.#blocks, this.#byConnect) : [];
      // Added first: what stays is never touched.
      for (const need of now) this.#add(need, touched);
      for (const need of before) this.#remove(need, touched);
      if (now.length > 0) this.#units.set(key, now);
      else this.#units.delete(key);
    }
    return touched;
  }

  #add(need: HostPortNeed, touched: HostPortNeed[]): void {
    const known = this.#wanted.get(needName(need));
    if (known) {
      known.count++;
      return;
    }
    this.#wanted.set(needName(need), { need, count: 1 });
    touched.push(need);
  }

  #remove(need: HostPortNeed, touched: HostPortNeed[]): void {
    const known = this.#wanted.get(needName(need));
    if (!known || --known.count > 0) return;
    this.#wanted.delete(needName(need));
    touched.push(need);
  }
}
