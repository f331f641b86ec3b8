// The network of one conformance case: the node, its pods, a router, external clients, and everything else behind the router.
//
//   pods --ptp-- node eth0 ---- router ---- clients (the external sources)
//                                     \---- beyond  (remote endpoints; it also has every address that flows are sent to, so
//                                                    that a packet which nobody translated is answered there, and seen)
import { join } from 'node:path';
import type { LabProtocol } from '../../lab/agent-protocol.ts';
import { Lab } from '../../lab/lab.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { cable, hostPrefix, isIpv6, PointToPoint } from '../../lab/pod-network.ts';
import { canonicalIp } from '../../src/state/ip.ts';
import type { CaseConfig, Flow, FlowCase } from './flow-file.ts';

const FORWARD = ['net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'];
const PLAIN = ['net.ipv4.conf.all.rp_filter=0', 'net.ipv4.conf.default.rp_filter=0'];
// A link's two ends, the same on every cable to the router: each side knows the other by an onlink next hop.
const FAR = { v4: '169.254.7.2', v6: 'fe80::7:2' };
const NEAR = { v4: '169.254.7.1', v6: 'fe80::7:1' };

const plain = (address: string): string => canonicalIp(address) ?? address;
const families = ['-4', '-6'] as const;
const nextHop = (end: typeof FAR, family: '-4' | '-6'): string => (family === '-4' ? end.v4 : end.v6);
const familyOf = (address: string): '-4' | '-6' => (isIpv6(address) ? '-6' : '-4');

export class CaseLab {
  readonly lab = new Lab();
  readonly node: Namespace;
  readonly nodeAddresses: readonly string[];
  readonly #router: Namespace;
  readonly #clients: Namespace;
  readonly #beyond: Namespace;
  readonly #pods = new Map<string, Namespace>();
  readonly #network: PointToPoint;
  readonly #beyondAddresses = new Set<string>();
  readonly #listening = new Set<string>();
  readonly #nodeName: string;

  constructor(config: CaseConfig, { steps }: FlowCase) {
    const cgroup = this.lab.cgroup('node');
    this.#nodeName = config.nodeName;
    this.node = this.lab.namespace('node', cgroup);
    this.#router = this.lab.namespace('router');
    this.#clients = this.lab.namespace('clients');
    this.#beyond = this.lab.namespace('beyond');
    this.#network = new PointToPoint(this.node);
    this.nodeAddresses = config.interfaces.flatMap(({ addresses }) => addresses.map((one) => plain(one.split('/')[0] ?? '')));
    this.#wire(config);
    const flows = steps.flatMap((step) => step.flows);
    for (const flow of flows) {
      if (flow.origin === 'pod') this.#pod(plain(flow.from));
      if (flow.origin === 'external') this.#client(plain(flow.from));
    }
  }

  get folder(): string {
    return join(this.lab.folder, 'case');
  }

  #wire({ interfaces }: CaseConfig): void {
    const router = this.#router;
    for (const [space, name] of [
      [this.node, 'to-node'],
      [this.#clients, 'to-clients'],
      [this.#beyond, 'to-beyond'],
    ] as const) {
      space.sysctl(...PLAIN);
      cable(router, name, space, 'eth0');
      router.ip(`addr add ${NEAR.v4}/32 dev ${name}`, `addr add ${NEAR.v6}/64 dev ${name}`);
      if (space !== this.node) space.ip(`addr add ${FAR.v4}/32 dev eth0`);
      space.ip(`addr add ${FAR.v6}/64 dev eth0`);
      for (const family of families) space.ip(`${family} route add default via ${nextHop(NEAR, family)} dev eth0 onlink`);
    }
    router.sysctl(...FORWARD, ...PLAIN, 'net.ipv4.conf.all.send_redirects=0');
    this.node.sysctl(...FORWARD, 'net.ipv4.conf.all.send_redirects=0', 'net.ipv4.conf.eth0.send_redirects=0');
    this.node.sysctl('net.ipv4.icmp_ratelimit=0', 'net.ipv6.icmp.ratelimit=0', 'net.ipv4.icmp_msgs_per_sec=100000');
    for (const { name, addresses } of interfaces) {
      if (name !== 'lo') for (const address of addresses) this.node.ip(`addr add ${address} dev eth0`);
    }
    // A rule of preference 0 goes before the local addresses from now on.
    for (const family of families) this.#clients.ip(`${family} rule add pref 1 lookup local`, `${family} rule del pref 0`);
    // What clients send goes to the node, whatever its address; the node's own packets go on to clients and beyond.
    const nodeHop = this.nodeAddresses.find((address) => address !== '127.0.0.1' && !isIpv6(address)) ?? FAR.v4;
    for (const family of families) {
      const hop = family === '-4' ? nodeHop : FAR.v6;
      router.ip(
        `${family} rule add iif to-clients lookup 100`,
        `${family} route add default via ${hop} dev to-node onlink table 100`,
        `${family} route add default via ${nextHop(FAR, family)} dev to-beyond onlink`,
        ...this.nodeAddresses
          .filter((address) => familyOf(address) === family && !/^(127\.|::1$)/.test(address))
          .map((address) => `${family} route add ${hostPrefix(address)} via ${hop} dev to-node onlink`),
      );
    }
  }

  #pod(address: string): Namespace {
    let pod = this.#pods.get(address);
    if (!pod) {
      pod = this.lab.namespace(`pod${this.#pods.size}`, this.node.cgroup);
      this.#pods.set(address, pod);
      this.#network.attach(pod, [address]);
      this.node.sysctl(...PLAIN);
      const family = familyOf(address);
      const hop = family === '-4' ? (this.nodeAddresses.find((one) => one !== '127.0.0.1' && !isIpv6(one)) ?? '') : FAR.v6;
      this.#router.ip(`${family} route add ${hostPrefix(address)} via ${hop} dev to-node onlink`);
    }
    return pod;
  }

  #client(address: string): void {
    const family = familyOf(address);
    if (this.#clients.run('ip', family, 'addr', 'show', 'dev', 'lo').includes(hostPrefix(address))) return;
    // A source may also be a destination (a load balancer's own IP): what clients send to it leaves all the same. An IPv6 address
    // would bring a route over lo into the main table too.
    this.#clients.ip(
      `${family} addr add ${hostPrefix(address)} dev lo noprefixroute`,
      `${family} rule add pref 0 iif lo to ${address} lookup main`,
    );
    this.#router.ip(`${family} route add ${hostPrefix(address)} via ${nextHop(FAR, family)} dev to-clients onlink`);
  }

  #hasBeyond(address: string): void {
    if (this.#beyondAddresses.has(address) || this.nodeAddresses.includes(address) || this.#pods.has(address)) return;
    this.#beyondAddresses.add(address);
    this.#beyond.ip(`${familyOf(address)} addr add ${hostPrefix(address)} dev lo`);
  }

  /** Servers at every endpoint of the slices, and at the flow's port wherever a packet could arrive untranslated. */
  async listen(slices: readonly SliceLike[], flows: readonly Flow[]): Promise<void> {
    const waits: Promise<void>[] = [];
    const listen = (space: Namespace, protocol: LabProtocol, address: string, port: number): void => {
      // One TCP or SCTP server for all addresses of a namespace; a UDP server answers from the address it is bound to.
      const at = protocol === 'UDP' ? address : '::';
      const key = `${space.name} ${protocol} ${at} ${port}`;
      if (this.#listening.has(key)) return;
      this.#listening.add(key);
      waits.push(space.agent.listen(protocol, at, port));
    };
    for (const { endpoints = [], ports = [] } of slices) {
      for (const { addresses, nodeName } of endpoints) {
        for (const address of addresses.map(plain)) {
          const isOwn = this.nodeAddresses.includes(address);
          const isLocal = nodeName === this.#nodeName || this.#pods.has(address);
          const space = isOwn ? this.node : isLocal ? this.#pod(address) : this.#beyond;
          if (space === this.#beyond) this.#hasBeyond(address);
          for (const { protocol = 'TCP', port } of ports) if (port) listen(space, protocol, address, port);
        }
      }
    }
    for (const { protocol, to, port } of flows) {
      const address = plain(to);
      this.#hasBeyond(address);
      if (this.nodeAddresses.includes(address)) listen(this.node, protocol, address, port);
      if (this.#beyondAddresses.has(address)) listen(this.#beyond, protocol, address, port);
    }
    await Promise.all(waits);
  }

  /** Where a flow's packets come from. */
  senderOf({ origin, from }: Flow): Namespace {
    if (origin === 'external') return this.#clients;
    return origin === 'pod' ? this.#pod(plain(from)) : this.node;
  }
}

export interface SliceLike {
  readonly endpoints?: readonly { readonly addresses: readonly string[]; readonly nodeName?: string }[];
  readonly ports?: readonly { readonly protocol?: LabProtocol; readonly port?: number }[];
}
