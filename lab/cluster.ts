// A small dual-stack cluster: nodes on one Ethernet, pods on a CNI-like network, an external client that knows no pod.
//
//   client ---+--- node1 --- pods 10.244.1.0/24, fd00:10:244:1::/64
//     fabric  +--- node2 --- pods 10.244.2.0/24, fd00:10:244:2::/64
import { Lab } from './lab.ts';
import type { Namespace } from './namespace.ts';
import { Bridge, cable, type PodNetwork, PointToPoint } from './pod-network.ts';
import { type Manifest, Turnout } from './turnout.ts';

export interface ClusterOptions {
  readonly nodes?: number; // default 2
  readonly pods?: 'ptp' | 'bridge'; // default ptp
  readonly between?: 'routes' | 'vxlan'; // how pods of two nodes reach each other; default routes
  readonly flags?: readonly string[]; // of turnout, on every node
  readonly binary?: string; // default: this checkout's bin/turnout
  readonly rpFilter?: 0 | 1 | 2; // default 1, strict
}

/** CIDRs as flags of turnout want them. */
export const CLUSTER_CIDR = '10.244.0.0/16,fd00:10:244::/48';
const VXLAN_MTU = 1450;

export interface Pod {
  readonly name: string;
  readonly nodeName: string;
  readonly namespace: Namespace;
  readonly ipv4: string;
  readonly ipv6: string;
}

export class ClusterNode {
  readonly name: string;
  readonly namespace: Namespace;
  readonly ipv4: string;
  readonly ipv6: string;
  readonly turnout: Turnout;
  readonly pods: Pod[] = [];
  readonly #lab: Lab;
  readonly #number: number;
  readonly #podNetwork: PodNetwork;

  constructor(lab: Lab, number: number, options: ClusterOptions) {
    this.#lab = lab;
    this.#number = number;
    this.name = `node${number}`;
    this.ipv4 = `192.168.50.1${number}`;
    this.ipv6 = `fd50::1${number}`;
    this.namespace = lab.namespace(this.name, lab.cgroup(this.name));
    const rpFilter = options.rpFilter ?? 1;
    this.namespace.sysctl(
      ...['net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'],
      ...[`net.ipv4.conf.all.rp_filter=${rpFilter}`, `net.ipv4.conf.default.rp_filter=${rpFilter}`],
    );
    const mtu = options.between === 'vxlan' ? VXLAN_MTU : 1500;
    const gateways = [`10.244.${number}.1/24`, `fd00:10:244:${number}::1/64`];
    this.#podNetwork =
      options.pods === 'bridge' ? new Bridge(this.namespace, gateways, mtu) : new PointToPoint(this.namespace, mtu);
    this.turnout = new Turnout({
      lab,
      namespace: this.namespace,
      nodeName: this.name,
      ...(options.binary && { binary: options.binary }),
      flags: [`--cluster-cidr=${CLUSTER_CIDR}`, '--ebpf-min-sync-period=0s', ...(options.flags ?? [])],
    });
  }

  /** A pod with an address of each family, in the node's cgroup, or one below it, as on a real node. */
  addPod(name: string, cgroup: string = this.namespace.cgroup): Pod {
    const last = this.pods.length + 10;
    const ipv4 = `10.244.${this.#number}.${last}`;
    const ipv6 = `fd00:10:244:${this.#number}::${last}`;
    const namespace = this.#lab.namespace(name, cgroup);
    this.#podNetwork.attach(namespace, [ipv4, ipv6]);
    const pod = { name, nodeName: this.name, namespace, ipv4, ipv6 };
    this.pods.push(pod);
    return pod;
  }

  /** One of each family. */
  get podCIDRs(): readonly [string, string] {
    return [`10.244.${this.#number}.0/24`, `fd00:10:244:${this.#number}::/64`];
  }

  get manifest(): Manifest {
    const addresses = [this.ipv4, this.ipv6].map((address) => ({ type: 'InternalIP', address }));
    const spec = { podCIDR: this.podCIDRs[0], podCIDRs: this.podCIDRs };
    return { apiVersion: 'v1', kind: 'Node', metadata: { name: this.name }, spec, status: { addresses } };
  }
}

export class Cluster {
  readonly lab = new Lab();
  readonly nodes: readonly ClusterNode[];
  readonly client: Namespace;
  readonly clientIpv4 = '192.168.50.100';
  readonly clientIpv6 = 'fd50::100';
  readonly #fabric: Namespace;

  constructor(options: ClusterOptions = {}) {
    this.#fabric = this.lab.namespace('fabric');
    this.#fabric.ip('link add br0 type bridge', 'link set br0 up');
    this.nodes = Array.from({ length: options.nodes ?? 2 }, (_, index) => new ClusterNode(this.lab, index + 1, options));
    for (const { namespace, ipv4, ipv6 } of this.nodes) this.#plug(namespace, ipv4, ipv6);
    this.client = this.addMachine('client', this.clientIpv4, this.clientIpv6);
    for (const node of this.nodes) for (const other of this.nodes) if (node !== other) this.#join(node, other, options.between);
  }

  /** One more machine beside the nodes. */
  addMachine(name: string, ipv4: string, ipv6: string, cgroup = ''): Namespace {
    const namespace = this.lab.namespace(name, cgroup);
    this.#plug(namespace, ipv4, ipv6);
    return namespace;
  }

  #plug(namespace: Namespace, ipv4: string, ipv6: string): void {
    const port = `to-${namespace.name}`;
    cable(this.#fabric, port, namespace, 'eth0');
    this.#fabric.ip(`link set ${port} master br0`);
    namespace.ip(`addr add ${ipv4}/24 dev eth0`, `addr add ${ipv6}/64 dev eth0`);
  }

  /** Pods of `other` become reachable from `node`. */
  #join(node: ClusterNode, other: ClusterNode, between: ClusterOptions['between'] = 'routes'): void {
    const far = other.name.replace('node', '');
    const own = node.name.replace('node', '');
    const pods = other.podCIDRs;
    if (between === 'routes') {
      node.namespace.ip(`route add ${pods[0]} via ${other.ipv4}`, `route add ${pods[1]} via ${other.ipv6}`);
      return;
    }
    // As flannel does: the device's address is the pod network's first, and the next hop of the other node.
    node.namespace.ip(
      `link add vxlan0 mtu ${VXLAN_MTU} type vxlan id 42 dev eth0 dstport 8472 local ${node.ipv4} remote ${other.ipv4}`,
      'link set vxlan0 up',
      `addr add 10.244.${own}.0/32 dev vxlan0`,
      `addr add fe80::42:${own}/64 dev vxlan0`,
      `addr add fd00:10:244:${own}::/128 dev vxlan0`,
      `route add ${pods[0]} via 10.244.${far}.0 dev vxlan0 onlink`,
      `route add ${pods[1]} via fe80::42:${far} dev vxlan0 onlink`,
    );
  }

  /** By its number, from 1. */
  node(number: number): ClusterNode {
    const node = this.nodes[number - 1];
    if (!node) throw new Error(`the cluster has ${this.nodes.length} nodes, and no node${number}`);
    return node;
  }

  /** turnout on every node, with the Node objects known. */
  async start(): Promise<void> {
    const manifests = this.nodes.map(({ manifest }) => manifest);
    await Promise.all(
      this.nodes.map(async ({ turnout }) => {
        turnout.write('nodes', manifests);
        await turnout.start();
      }),
    );
  }

  /** Writes one file of objects for every node and waits until it is in force on all. */
  async apply(file: string, objects: readonly Manifest[]): Promise<void> {
    await Promise.all(this.nodes.map(({ turnout }) => turnout.apply(file, objects)));
  }

  close(): Promise<void> {
    return this.lab.close();
  }
}
