// What Services and endpoints did, as numbers that only grow, and what they did in a second of two looks at them.
import type { ServiceIdentity } from './endpoint-filter.ts';
import type { FlowEnd, FlowProtocol } from './flow.ts';

/** All but `active` only grow. */
export interface Traffic {
  /** Flows and connect() calls that were given an endpoint. */
  readonly connections: number;
  /** Flows that are not closed, and sockets that connect() translated and that are open. */
  readonly active: number;
  readonly rejects: number;
  readonly drops: number;
  /** Both ways are counted by flows alone: packets of translated sockets meet no program. */
  readonly requestPackets: number;
  readonly requestBytes: number;
  readonly replyPackets: number;
  readonly replyBytes: number;
}

/** Somebody with counters: a Service port in one family, or one of its endpoints. */
export interface TrafficOwner {
  /** The same in two samples only if it is the same. */
  readonly key: string;
  readonly service: ServiceIdentity | null;
  readonly protocol: FlowProtocol;
  readonly backend: FlowEnd | null;
  readonly traffic: Traffic;
}

export interface TrafficSample {
  readonly timeMs: number; // of a clock that only runs forward
  readonly owners: readonly TrafficOwner[];
}

/** In a second. */
export interface TrafficRates {
  readonly connections: number;
  readonly packets: number;
  readonly bytes: number;
  readonly rejects: number;
  readonly drops: number;
}

export interface TrafficRow {
  readonly service: ServiceIdentity | null;
  readonly protocol: FlowProtocol;
  readonly backend: FlowEnd | null;
  readonly traffic: Traffic;
  readonly rates: TrafficRates;
}

const packetsOf = ({ requestPackets, replyPackets }: Traffic): number => requestPackets + replyPackets;
export const bytesOf = ({ requestBytes, replyBytes }: Traffic): number => requestBytes + replyBytes;

const NO_TRAFFIC: Traffic = {
  ...{ connections: 0, active: 0, rejects: 0, drops: 0 },
  ...{ requestPackets: 0, requestBytes: 0, replyPackets: 0, replyBytes: 0 },
};

/**
 * A row for each owner of the later sample, both families of a Service port in one. Who is new began at zero. Nothing is negative, whatever
 * the counters say.
 */
export function trafficRows(before: TrafficSample, after: TrafficSample): TrafficRow[] {
  const seconds = Math.max(after.timeMs - before.timeMs, 1) / 1000;
  const former = new Map(before.owners.map(({ key, traffic }) => [key, traffic]));
  const rows = new Map<string, TrafficRow>();
  for (const owner of after.owners) {
    const then = former.get(owner.key) ?? NO_TRAFFIC;
    const rate = (count: (traffic: Traffic) => number): number => Math.max(0, count(owner.traffic) - count(then)) / seconds;
    const rates = {
      connections: rate(({ connections }) => connections),
      packets: rate(packetsOf),
      bytes: rate(bytesOf),
      rejects: rate(({ rejects }) => rejects),
      drops: rate(({ drops }) => drops),
    };
    const name = rowName(owner);
    const row = rows.get(name);
    const { service, protocol, backend, traffic } = owner;
    rows.set(
      name,
      row
        ? { ...row, traffic: sum(row.traffic, traffic), rates: sum(row.rates, rates) }
        : { service, protocol, backend, traffic, rates },
    );
  }
  return [...rows.values()];
}

function rowName({ key, service, protocol, backend }: TrafficOwner): string {
  if (service === null || backend !== null) return key;
  return `${service.namespace}/${service.name}:${service.portName} ${protocol}`;
}

/** Field by field. */
export function sum<Numbers extends { readonly [Name in keyof Numbers]: number }>(a: Numbers, b: Numbers): Numbers {
  return Object.fromEntries(
    Object.keys(a).map((name) => [name, a[name as keyof Numbers] + b[name as keyof Numbers]]),
  ) as unknown as Numbers;
}

export const TOP_ORDERS = ['rate', 'connections', 'active', 'packets', 'bytes', 'rejects', 'drops'] as const;
export type TopOrder = (typeof TOP_ORDERS)[number];

const MEASURES: Readonly<Record<TopOrder, (row: TrafficRow) => number>> = {
  rate: ({ rates }) => rates.connections,
  connections: ({ traffic }) => traffic.connections,
  active: ({ traffic }) => traffic.active,
  packets: ({ rates }) => rates.packets,
  bytes: ({ rates }) => rates.bytes,
  rejects: ({ rates }) => rates.rejects,
  drops: ({ rates }) => rates.drops,
};

/** Most first; those that are equal by their connections, then by name, so that rows do not jump. */
export function sortTraffic(rows: readonly TrafficRow[], by: TopOrder): TrafficRow[] {
  const measure = MEASURES[by];
  const name = ({ service, backend }: TrafficRow): string =>
    `${service?.namespace}/${service?.name}:${service?.portName} ${backend?.address.join('.')}:${backend?.port}`;
  return rows.toSorted(
    (a, b) =>
      measure(b) - measure(a) ||
      b.traffic.connections - a.traffic.connections ||
      (name(a) < name(b) ? -1 : Number(name(a) > name(b))),
  );
}
