// Which probes a round sends: most to Services that were changed, some to others, a few to what no Service has.
import {
  clientAddress,
  clusterIP,
  FAMILIES,
  FAR_POD,
  type Family,
  familyOf,
  LOCAL_PODS,
  LOOPBACK,
  NODE,
  SLOTS,
  unallocated,
} from './addresses.ts';
import type { Generator } from './generate.ts';
import { endpointsOf, type Frontend, frontendsOf, type Objects, PROXY_NAME, type Protocol } from './objects.ts';
import { type Probe, type Sender, triesFor } from './probe.ts';

const TO_CHANGED = 26;
const TO_OTHERS = 8;
const UNDEFINED = 2;
const UNALLOCATED = 1;
const LOOPBACKS = 1;
const SPREADS = 2;
const NO_PORT = 4444; // that no Service has
const HOME = 1; // number of the client that asks again and again
const FIRST_OF_SPREAD = 256;
const SPREAD_CERTAINTY = 7;

let clientsUsed = 0;
/** Clients that were never used: affinity has not tied them to anything. */
export const freshClients = (network: number, family: Family, count: number): string[] =>
  Array.from({ length: count }, () => clientAddress(network, family, FIRST_OF_SPREAD + (clientsUsed++ % 65_000)));

type Origin = Pick<Probe, 'sender' | 'from'>;

function randomOrigin({ dice, features }: Generator, family: Family): Origin {
  const roll = dice.between(1, features.has('host') ? 100 : 72);
  if (roll <= 35) {
    const pod = dice.between(0, LOCAL_PODS.length - 1);
    return { sender: `pod${pod}` as Sender, from: LOCAL_PODS[pod]![family] };
  }
  if (roll <= 65) return { sender: 'clients', from: clientAddress(dice.between(0, 1), family, HOME) };
  if (roll <= 72) return { sender: 'clients', from: FAR_POD[family] };
  return { sender: 'node', from: roll <= 88 || !features.has('bound') ? '' : dice.pick(NODE[family]) };
}

function isServed({ services }: Objects, { service, address, number, port }: Frontend): boolean {
  const owner = services.get(service);
  if (!owner || PROXY_NAME in (owner.metadata.labels ?? {})) return false;
  return frontendsOf(owner).some(
    (one) => one.address === address && one.number === number && one.port.protocol === port.protocol,
  );
}

const NO_SERVICE = { service: '', portName: '', spread: [], hasAffinity: false, mostEndpoints: 1 } as const;

export function planRound(generator: Generator, before: Objects, now: Objects, changed: readonly string[]): Probe[] {
  const { dice, features } = generator;
  const frontends = (objects: Objects, isWanted: (name: string) => boolean): Frontend[] =>
    [...objects.services.values()].filter(({ metadata }) => isWanted(metadata.name)).flatMap(frontendsOf);
  const keyOf = ({ address, number, port }: Frontend): string => `${address} ${number} ${port.protocol}`;
  // What a Service had and has no more is asked as well: a ClusterIP is then an unallocated address, or has an undefined port.
  const isAsked = (frontend: Frontend): boolean =>
    frontend.kind !== 'ClusterIP' || (features.has('unallocated') && features.has('undefined-port')) || isServed(now, frontend);
  const ofChanged = new Map(
    [...frontends(before, (name) => changed.includes(name)), ...frontends(now, (name) => changed.includes(name))]
      .filter(isAsked)
      .map((frontend) => [keyOf(frontend), frontend]),
  );
  const ofOthers = frontends(now, (name) => !changed.includes(name)).filter(isAsked);

  const probe = (frontend: Frontend, origin?: Origin): Probe => {
    const { kind, service, port, address: to, number } = frontend;
    const family = familyOf(to);
    return {
      ...{ kind, service, to, port: number, portName: port.name, protocol: port.protocol, spread: [] },
      ...(origin ?? randomOrigin(generator, family)),
      hasAffinity: now.services.get(service)?.spec.sessionAffinity === 'ClientIP',
      mostEndpoints: Math.max(1, endpointsOf(now.slices.get(service) ?? [], port, family).length),
    };
  };
  const several = (list: readonly Frontend[], count: number): Probe[] =>
    list.length === 0 ? [] : Array.from({ length: count }, () => probe(dice.pick(list)));

  const all = [...ofChanged.values(), ...ofOthers];
  const withAffinity = all.filter(({ service }) => now.services.get(service)?.spec.sessionAffinity === 'ClientIP');
  const spread = dice.some(withAffinity, SPREADS).map((frontend): Probe => {
    const one = probe(frontend);
    const network = dice.between(0, 1);
    const clients = freshClients(network, familyOf(frontend.address), triesFor(one.mostEndpoints, SPREAD_CERTAINTY));
    return { ...one, sender: 'clients', from: clients[0]!, spread: clients };
  });
  const planned = [
    ...several([...ofChanged.values()], TO_CHANGED),
    ...several(ofOthers, TO_OTHERS),
    ...spread,
    ...(features.has('undefined-port')
      ? dice.some(
          all.filter(({ kind }) => kind === 'ClusterIP'),
          UNDEFINED,
        )
      : []
    ).map((frontend) => ({
      ...probe(frontend),
      ...({ kind: 'undefined port', port: NO_PORT, hasAffinity: false } as const),
    })),
    ...(features.has('unallocated') ? unallocatedProbes(generator, UNALLOCATED) : []),
    ...(features.has('loopback') && features.has('host')
      ? dice.some(
          all.filter(({ kind }) => kind === 'node port'),
          LOOPBACKS,
        )
      : []
    ).map((frontend) => ({
      ...probe(frontend),
      ...({ kind: 'loopback', to: LOOPBACK[familyOf(frontend.address)], sender: 'node', from: '' } as const),
    })),
  ];
  return [...new Map(planned.map((one) => [`${one.sender} ${one.from} ${one.to} ${one.port} ${one.protocol}`, one])).values()];
}

/** An address that never had a Service, or one whose Service is gone. */
function unallocatedProbes(generator: Generator, count: number): Probe[] {
  const { dice, features } = generator;
  return Array.from({ length: count }, () => {
    const family = features.has('ipv6') ? dice.pick(FAMILIES) : 'IPv4';
    const address = dice.chance(50) ? unallocated(dice.between(1, 9)) : clusterIP(SLOTS + dice.between(1, 9));
    const protocol: Protocol = features.has('udp') ? dice.pick(['TCP', 'UDP'] as const) : 'TCP';
    const to = address[family];
    return { ...NO_SERVICE, kind: 'unallocated address', protocol, to, port: 80, ...randomOrigin(generator, family) };
  });
}
