// How pods hang on a node: the two kinds that CNI plug-ins make, point-to-point (routed) and bridge.
import type { Namespace } from './namespace.ts';

/** A veth pair between two namespaces, both ends up. */
export function cable(a: Namespace, deviceA: string, b: Namespace, deviceB: string, mtu = 1500): void {
  a.ip(`link add name ${deviceA} mtu ${mtu} netns ${a.netns} type veth peer name ${deviceB} mtu ${mtu} netns ${b.netns}`);
  a.ip(`link set ${deviceA} up`);
  b.ip(`link set ${deviceB} up`);
}

export const isIpv6 = (address: string): boolean => address.includes(':');
export const hostPrefix = (address: string): string => `${address}/${isIpv6(address) ? 128 : 32}`;

export interface PodNetwork {
  /** Gives the pod a device eth0 with these addresses, reachable from the node. */
  attach(pod: Namespace, addresses: readonly string[]): void;
}

/** By ip: /sys shows the devices of the namespace of who mounted it. */
export function macOf(namespace: Namespace, device: string): string {
  const mac = /link\/ether (\S+)/.exec(namespace.run('ip', '-o', 'link', 'show', 'dev', device))?.[1];
  if (!mac) throw new Error(`${device} in ${namespace.name} has no Ethernet address`);
  return mac;
}

/** Each pod on a veth of its own, with a route to it: Calico, ptp, cloud CNIs. The gateway is a static neighbour. */
export class PointToPoint implements PodNetwork {
  readonly #node: Namespace;
  readonly #mtu: number;

  constructor(node: Namespace, mtu = 1500) {
    this.#node = node;
    this.#mtu = mtu;
  }

  attach(pod: Namespace, addresses: readonly string[]): void {
    const node = this.#node;
    const device = `p-${pod.name}`.slice(0, 15);
    cable(node, device, pod, 'eth0', this.#mtu);
    const mac = macOf(node, device);
    for (const [gateway, family] of [
      ['169.254.1.1', '-4'],
      ['fe80::1', '-6'],
    ] as const) {
      pod.ip(`neigh replace ${gateway} lladdr ${mac} dev eth0 nud permanent`);
      if (!addresses.some((address) => isIpv6(address) === (family === '-6'))) continue;
      for (const address of addresses.filter((one) => isIpv6(one) === (family === '-6'))) {
        pod.ip(`${family} addr add ${hostPrefix(address)} dev eth0`);
        node.ip(`${family} route add ${hostPrefix(address)} dev ${device}`);
      }
      pod.ip(`${family} route add default via ${gateway} dev eth0 onlink`);
    }
  }
}

/** All pods of a node on one bridge, which holds the gateway addresses: bridge, flannel, kind. */
export class Bridge implements PodNetwork {
  readonly #node: Namespace;
  readonly #gateways: readonly string[];
  readonly #mtu: number;

  /** gateways: with prefix length, as '10.244.1.1/24'. */
  constructor(node: Namespace, gateways: readonly string[], mtu = 1500) {
    this.#node = node;
    this.#gateways = gateways;
    this.#mtu = mtu;
    node.ip(`link add cni0 mtu ${mtu} type bridge`, 'link set cni0 up');
    for (const gateway of gateways) node.ip(`addr add ${gateway} dev cni0`);
  }

  attach(pod: Namespace, addresses: readonly string[]): void {
    const device = `p-${pod.name}`.slice(0, 15);
    cable(this.#node, device, pod, 'eth0', this.#mtu);
    this.#node.ip(`link set ${device} master cni0`);
    this.#node.ip(`link set ${device} type bridge_slave hairpin on`); // as CNI's hairpinMode
    for (const gateway of this.#gateways) {
      const [router = '', length = ''] = gateway.split('/');
      for (const address of addresses.filter((one) => isIpv6(one) === isIpv6(router))) {
        pod.ip(`addr add ${address}/${length} dev eth0`, `route add default via ${router}`);
      }
    }
  }
}
