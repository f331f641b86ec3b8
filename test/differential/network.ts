// The network of one world, which has a twin with the same addresses. All traffic of clients and of everything beyond goes through
// the node, both ways, so that whatever a proxy translates meets it again.
//
//   pods --ptp-- node eth0 ---- router ---- clients (two networks outside, and a pod of a third node)
//                                     \---- beyond  (endpoints that are elsewhere; and a witness that answers for every address
//                                                    of a Service, so that a packet which nobody translated is seen)
import type { Lab } from '../../lab/lab.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { cable, hostPrefix, isIpv6, PointToPoint } from '../../lab/pod-network.ts';
import {
  BOUND_VIP,
  CLIENT_NETWORKS,
  FAMILIES,
  FAR_POD,
  type Family,
  LOCAL_PODS,
  NODE,
  OUTSIDE,
  type PerFamily,
  REMOTE_PODS,
  SERVICE_NETWORKS,
  TARGET_PORTS,
  WITNESS,
  WITNESS_PORT,
} from './addresses.ts';

const FORWARD = ['net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'];
const PLAIN = ['net.ipv4.conf.all.rp_filter=0', 'net.ipv4.conf.default.rp_filter=0', 'net.ipv4.conf.all.send_redirects=0'];
const NO_ICMP_LIMIT = [
  'net.ipv4.icmp_ratelimit=0',
  'net.ipv6.icmp.ratelimit=0',
  'net.ipv4.icmp_msgs_per_sec=100000',
  'net.ipv4.icmp_msgs_burst=10000',
];
const NONLOCAL_BIND = ['net.ipv4.ip_nonlocal_bind=1', 'net.ipv6.ip_nonlocal_bind=1'];
const flag: PerFamily = { IPv4: '-4', IPv6: '-6' };
/** The far side of a cable to the router, and the router's own. */
const FAR: PerFamily = { IPv4: '169.254.7.2', IPv6: 'fe80::7:2' };
const NEAR: PerFamily = { IPv4: '169.254.7.1', IPv6: 'fe80::7:1' };

export class Network {
  readonly node: Namespace;
  readonly pods: readonly Namespace[];
  readonly clients: Namespace;
  /** kube-proxy stops datagrams of the host in netfilter, whose EPERM says nothing about whether they are refused or dropped. */
  givesEperm = false;
  readonly #router: Namespace;
  readonly #beyond: Namespace;

  constructor(lab: Lab, world: string) {
    const cgroup = lab.cgroup(world);
    this.node = lab.namespace(`${world}-node`, cgroup);
    this.#router = lab.namespace(`${world}-router`);
    this.clients = lab.namespace(`${world}-clients`);
    this.#beyond = lab.namespace(`${world}-beyond`);
    this.#wireRouter();
    this.#wireNode();
    const pods = new PointToPoint(this.node);
    this.pods = LOCAL_PODS.map((addresses, i) => {
      const pod = lab.namespace(`${world}-pod${i}`, cgroup);
      pods.attach(pod, Object.values(addresses));
      return pod;
    });
    for (const space of [this.node, ...this.pods]) space.sysctl(...PLAIN, ...NO_ICMP_LIMIT);
    this.#wireClients();
    this.#wireBeyond();
  }

  #wireRouter(): void {
    const router = this.#router;
    for (const [space, device] of [
      [this.node, 'to-node'],
      [this.clients, 'to-clients'],
      [this.#beyond, 'to-beyond'],
    ] as const) {
      cable(router, device, space, 'eth0');
      space.sysctl(...PLAIN, ...NO_ICMP_LIMIT);
      router.ip(`addr add ${NEAR.IPv4}/32 dev ${device}`, `addr add ${NEAR.IPv6}/64 dev ${device}`);
      space.ip(`addr add ${FAR.IPv6}/64 dev eth0`);
      if (space !== this.node) space.ip(`addr add ${FAR.IPv4}/32 dev eth0`);
      for (const family of FAMILIES) space.ip(`${flag[family]} route add default via ${NEAR[family]} dev eth0 onlink`);
    }
    router.sysctl(...FORWARD, ...PLAIN, ...NO_ICMP_LIMIT);
    for (const family of FAMILIES) {
      const viaNode = `via ${family === 'IPv4' ? NODE.IPv4[0] : FAR.IPv6} dev to-node onlink`;
      const viaClients = `via ${FAR[family]} dev to-clients onlink`;
      const clients = [...CLIENT_NETWORKS.map((network) => network[family]), hostPrefix(FAR_POD[family])];
      const nodes = [...NODE[family], BOUND_VIP[family], ...LOCAL_PODS.map((pod) => pod[family])].map(hostPrefix);
      router.ip(
        `${flag[family]} rule add iif to-clients lookup 100`,
        `${flag[family]} rule add iif to-beyond lookup 100`,
        `${flag[family]} route add default ${viaNode} table 100`,
        `${flag[family]} route add default via ${FAR[family]} dev to-beyond onlink`,
        ...clients.map((network) => `${flag[family]} route add ${network} ${viaClients}`),
        ...nodes.map((address) => `${flag[family]} route add ${address} ${viaNode}`),
      );
    }
  }

  #wireNode(): void {
    this.node.sysctl(...FORWARD, 'net.ipv4.conf.eth0.send_redirects=0');
    for (const family of FAMILIES) {
      for (const address of NODE[family]) this.node.ip(`addr add ${hostPrefix(address)} dev eth0`);
      this.node.ip(`addr add ${hostPrefix(BOUND_VIP[family])} dev lo`);
    }
  }

  #wireClients(): void {
    this.clients.sysctl(...NONLOCAL_BIND);
    for (const family of FAMILIES) {
      for (const network of CLIENT_NETWORKS) this.clients.ip(`${flag[family]} route add local ${network[family]} dev lo`);
      this.clients.ip(`${flag[family]} addr add ${hostPrefix(FAR_POD[family])} dev lo`);
    }
  }

  #wireBeyond(): void {
    const beyond = this.#beyond;
    for (const family of FAMILIES) {
      for (const address of [...this.#addressesBeyond(family), WITNESS[family]]) {
        beyond.ip(`${flag[family]} addr add ${hostPrefix(address)} dev lo`);
      }
    }
    const rule = (ip: 'ip' | 'ip6', networks: readonly string[], to: string): string =>
      `${ip} daddr { ${networks.join(', ')} } meta l4proto { tcp, udp, sctp } dnat ${ip} to ${to}:${WITNESS_PORT}`;
    const chain = [
      'type nat hook prerouting priority dstnat',
      rule(
        'ip',
        SERVICE_NETWORKS.filter((network) => !isIpv6(network)),
        WITNESS.IPv4,
      ),
      rule('ip6', SERVICE_NETWORKS.filter(isIpv6), `[${WITNESS.IPv6}]`),
    ];
    beyond.run('nft', ['table inet witness {', 'chain arrive {', ...chain.map((line) => `${line};`), '}', '}', ''].join('\n'));
  }

  #addressesBeyond(family: Family): string[] {
    return [...REMOTE_PODS, OUTSIDE].map((addresses) => addresses[family]);
  }

  /** Echo servers at every endpoint there may be, and the witness. */
  async listen(hasSctp: boolean): Promise<void> {
    const places: [Namespace, string, number][] = [];
    for (const family of FAMILIES) {
      for (const port of TARGET_PORTS) {
        for (const [i, pod] of this.pods.entries()) places.push([pod, LOCAL_PODS[i]![family], port]);
        for (const address of this.#addressesBeyond(family)) places.push([this.#beyond, address, port]);
        places.push([this.node, NODE[family][0], port]);
      }
      places.push([this.#beyond, WITNESS[family], WITNESS_PORT]);
    }
    // A TCP server on the wildcard, as most are; a UDP server answers from the address it is bound to.
    const wildcardProtocols = hasSctp ? (['TCP', 'SCTP'] as const) : (['TCP'] as const);
    const wildcards = new Map(places.map(([space, , port]) => [`${space.name} ${port}`, { space, port }]));
    await Promise.all([
      ...[...wildcards.values()].flatMap(({ space, port }) =>
        wildcardProtocols.map((protocol) => space.agent.listen(protocol, '::', port)),
      ),
      ...places.map(([space, address, port]) => space.agent.listen('UDP', address, port)),
    ]);
  }

  /** New sockets of this round get other ports than those of the rounds before, so that no old flow is met again. */
  useSourcePorts(round: number): void {
    const first = 33_000 + (round % 16) * 2000;
    for (const space of [this.node, this.clients, ...this.pods]) {
      space.sysctl(`net.ipv4.ip_local_port_range=${first} ${first + 1999}`);
    }
  }
}
