// Which Service an address and port belong to, and who may answer: kube-proxy's rules over the units of src/state/model.ts.
import { addressOctets } from '../../../src/datapath/address.ts';
import { cidrContains, parseCidr } from '../../../src/state/ip.ts';
import type { Endpoint, ServicePort } from '../../../src/state/model.ts';
import { type Address, addressOf, textOf } from './address.ts';

const NUMBERS = { TCP: 6, UDP: 17, SCTP: 132 } as const;

/** An endpoint of one unit, from when it comes until it leaves. */
export interface Backend {
  readonly address: Address;
  readonly port: number;
  hasLeft: boolean;
}

interface Unit {
  readonly desired: ServicePort;
  readonly backends: Map<string, Backend>;
  readonly cluster: readonly Backend[];
  readonly local: readonly Backend[];
  /** sessionAffinity: what each client was last given; null: something, nobody knows what. */
  readonly remembered: Map<Address, Backend | null>;
}

export interface Frontend {
  readonly unit: Unit;
  readonly kind: 'ClusterIP' | 'external IP' | 'load-balancer IP' | 'node port';
}

/** The node as the programs know it. */
export interface Node {
  readonly addresses: ReadonlyMap<string, { readonly nodePorts: boolean }>; // by canonical text
  readonly serviceCidrs: readonly string[];
  readonly podCidrs: readonly string[]; // detectLocalMode ClusterCIDR; []: no detector
  readonly masqueradeAll: boolean;
}

export interface Candidates {
  readonly list: readonly Backend[];
  readonly isMasqueraded: boolean;
}

const frontendKey = (address: Address | 'node', port: number, protocol: number): string =>
  String.fromCharCode(protocol, port) + address;

export class Services {
  readonly #node: Node;
  readonly #nodeAddresses: Map<Address, { readonly nodePorts: boolean }>;
  readonly #contains = new Map<string, boolean>(); // what was asked before: cidrs and address
  #units = new Map<string, Unit>();
  #frontends = new Map<string, Frontend>();
  #clusterIPs = new Set<Address>();
  #externalIPs = new Set<Address>();

  constructor(node: Node) {
    this.#node = node;
    this.#nodeAddresses = new Map([...node.addresses].map(([text, row]) => [addressOf(text), row]));
  }

  /** From now on exactly these. An endpoint that stays in its unit stays who it was. */
  program(desired: readonly ServicePort[]): void {
    const before = this.#units;
    this.#units = new Map(desired.map((unit) => [unit.key, unitOf(unit, before.get(unit.key))]));
    for (const [key, { backends }] of before) {
      const after = this.#units.get(key)?.backends;
      for (const [name, backend] of backends) if (after?.get(name) !== backend) backend.hasLeft = true;
    }
    this.#frontends = new Map();
    this.#clusterIPs = new Set();
    this.#externalIPs = new Set();
    for (const unit of this.#units.values()) this.#publish(unit);
  }

  #publish(unit: Unit): void {
    const { desired } = unit;
    const protocol = NUMBERS[desired.protocol];
    const add = (address: Address | 'node', port: number, kind: Frontend['kind']): void => {
      this.#frontends.set(frontendKey(address, port, protocol), { unit, kind });
    };
    for (const ip of desired.externalIPs) add(addressOf(ip), desired.port, 'external IP');
    for (const ip of desired.loadBalancerVIPs) add(addressOf(ip), desired.port, 'load-balancer IP');
    add(addressOf(desired.clusterIP), desired.port, 'ClusterIP');
    if (desired.nodePort > 0) add(`node${desired.ipFamily}` as 'node', desired.nodePort, 'node port');
    this.#clusterIPs.add(addressOf(desired.clusterIP));
    for (const ip of [...desired.externalIPs, ...desired.loadBalancerVIPs]) this.#externalIPs.add(addressOf(ip));
  }

  find(address: Address, port: number, protocol: number, isV4: boolean): Frontend | null {
    const own = this.#frontends.get(frontendKey(address, port, protocol));
    if (own) return own;
    if (!this.#nodeAddresses.get(address)?.nodePorts) return null;
    return this.#frontends.get(frontendKey(`node${isV4 ? 'IPv4' : 'IPv6'}` as 'node', port, protocol)) ?? null;
  }

  isNodeAddress = (address: Address): boolean => this.#nodeAddresses.has(address);
  isClusterIP = (address: Address): boolean => this.#clusterIPs.has(address);
  /** Of the node or of some Service: fragments to it may be a Service's. */
  isOurs = (address: Address): boolean =>
    this.isNodeAddress(address) || this.isClusterIP(address) || this.#externalIPs.has(address);
  isServiceAddress = (address: Address): boolean => this.#isIn(this.#node.serviceCidrs, address);

  /** loadBalancerSourceRanges restrict load-balancer IPs and nothing else. */
  isShutOut({ unit, kind }: Frontend, client: Address): boolean {
    const { sourceRanges } = unit.desired;
    return kind === 'load-balancer IP' && sourceRanges.length > 0 && !this.#isIn(sourceRanges, client);
  }

  /** Who may be chosen for this client, and whether the backend sees our address (kube-proxy-parity.md 5.5). */
  candidates({ unit, kind }: Frontend, client: Address): Candidates {
    const { podCidrs, masqueradeAll } = this.#node;
    const isPod = this.#isIn(podCidrs, client);
    const { internalTrafficPolicy, externalTrafficPolicy } = unit.desired;
    if (kind === 'ClusterIP') {
      const list = internalTrafficPolicy === 'Local' ? unit.local : unit.cluster;
      return { list, isMasqueraded: masqueradeAll || (podCidrs.length > 0 && !isPod) };
    }
    if (externalTrafficPolicy === 'Cluster') return { list: unit.cluster, isMasqueraded: true };
    return { list: isPod ? unit.cluster : unit.local, isMasqueraded: false };
  }

  /** 'any': one of the candidates by chance. */
  remembered({ unit }: Frontend, client: Address, { list }: Candidates): Backend | 'any' {
    const backend = unit.desired.sessionAffinitySeconds > 0 ? unit.remembered.get(client) : null;
    return backend && !backend.hasLeft && list.includes(backend) ? backend : 'any';
  }

  remember({ unit }: Frontend, client: Address, backend: Backend | null): void {
    if (unit.desired.sessionAffinitySeconds > 0) unit.remembered.set(client, backend);
  }

  #isIn(cidrs: readonly string[], address: Address): boolean {
    if (cidrs.length === 0) return false;
    const key = address + cidrs.join();
    let known = this.#contains.get(key);
    if (known === undefined) {
      const octets = addressOctets(textOf(address));
      known = cidrs.map(parseCidr).some((cidr) => cidr !== null && cidrContains(cidr, octets));
      if (this.#contains.size > 20_000) this.#contains.clear();
      this.#contains.set(key, known);
    }
    return known;
  }
}

function unitOf(desired: ServicePort, before: Unit | undefined): Unit {
  const backends = new Map<string, Backend>();
  const list = (endpoints: readonly Endpoint[]): Backend[] =>
    endpoints.map(({ ip, port }) => {
      const name = `${ip} ${port}`;
      const backend = backends.get(name) ?? before?.backends.get(name) ?? { address: addressOf(ip), port, hasLeft: false };
      backends.set(name, backend);
      return backend;
    });
  const cluster = list(desired.clusterEndpoints);
  const local = list(desired.localEndpoints);
  list(desired.lingeringEndpoints);
  return { desired, backends, cluster, local, remembered: before?.remembered ?? new Map() };
}
