// affinity: connections in order, through the loaded programs. Time is moved by ageing what the programs remember.
import { ClusterState } from '../../../src/state/cluster-state.ts';
import { canonicalIp } from '../../../src/state/ip.ts';
import type { ServicePort } from '../../../src/state/model.ts';
import { ageAffinity } from '../../datapath/age-affinity.ts';
import { segment } from '../../datapath/cluster.ts';
import { Datapath } from '../../datapath/datapath.ts';
import { readPacket } from '../../datapath/packet/read-packet.ts';
import { asSet, compare, compareFields } from './compare.ts';
import { tell } from './objects.ts';
import type { Json, TableCase } from './table-file.ts';

const FIRST_PORT = 20_000;

const plain = (address: string): string => canonicalIp(address) ?? address;
const hostPort = (address: string, port: number): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;

/** Node ports are addressed by an address of the node: that is where those connections go. */
function nodeAddressesIn(units: readonly ServicePort[], connections: readonly Json[]): string[] {
  const nodePorts = new Set(units.map(({ nodePort }) => nodePort).filter(Boolean));
  const virtual = new Set(units.flatMap((unit) => [unit.clusterIP, ...unit.externalIPs, ...unit.loadBalancerVIPs]));
  const toNodePorts = connections.filter(({ to, port }) => nodePorts.has(port) && !virtual.has(plain(to)));
  return asSet(toNodePorts.map(({ to }) => plain(to)));
}

/** Endpoints of new connections, each from a fresh port. */
class Client {
  readonly #datapath: Datapath;
  #nextPort = FIRST_PORT;

  constructor(datapath: Datapath) {
    this.#datapath = datapath;
  }

  /** nth: of these connections; `from` may be a list, whose clients take turns. */
  connect({ from, to, port, protocol = 'TCP' }: Json, nth: number): string {
    const clients: string[] = [from].flat();
    const source = plain(clients[nth % clients.length] ?? '');
    const headers = { source, destination: plain(to), destinationPort: port, sourcePort: this.#nextPort++ };
    const { verdict, packet } = this.#datapath.ingress(segment(protocol, headers));
    const { ip, l4 } = readPacket(packet);
    const endpoint = hostPort(ip.destination, 'destinationPort' in l4 ? l4.destinationPort : 0);
    return endpoint === hostPort(plain(to), port) ? `not translated (${verdict})` : endpoint;
  }
}

export async function affinity({ objects, connections, then = {}, nodeName = 'node' }: TableCase): Promise<string[]> {
  const state = new ClusterState(nodeName);
  tell(state, { apply: objects });
  const units = (): ServicePort[] => [...state.desired().servicePorts.values()];
  const addresses = nodeAddressesIn(units(), [...connections, ...(then.connections ?? [])]);
  const datapath = await Datapath.load({ nodeAddresses: [...addresses, '192.0.2.1', '2001:db8::1'] });
  try {
    const client = new Client(datapath);
    const bound = new Map<string, string>();
    const run = (one: Json): string[] => {
      if (one.afterSeconds) ageAffinity(datapath, one.afterSeconds);
      const endpoints = Array.from({ length: one.connections ?? 1 }, (_, nth) => client.connect(one, nth));
      return expectations(one.expect, endpoints, bound).map((fault) => `${one.from} to ${one.to}: ${fault}`);
    };
    datapath.program(...units());
    const before = connections.flatMap(run);
    tell(state, then);
    datapath.program(...units());
    return [...before, ...(then.connections ?? []).flatMap(run)];
  } finally {
    datapath.close();
  }
}

function expectations(expect: Json, endpoints: readonly string[], bound: Map<string, string>): string[] {
  const seen = asSet(endpoints);
  if (expect.bind) bound.set(expect.bind, endpoints[0] ?? '');
  return compareFields(expect, {
    fromSet: (set: string[]) => (compare('', asSet(seen.filter((one) => !set.includes(one))), []).length === 0 ? set : seen),
    distinctEndpoints: () => seen.length,
    endpointsSeen: (wanted: string[] | number) =>
      typeof wanted === 'number' ? seen.length : asSet(wanted).join() === seen.join() ? wanted : seen,
    bind: () => expect.bind,
    sameAs: (name: string) => (seen.length === 1 && seen[0] === bound.get(name) ? name : seen),
  });
}
