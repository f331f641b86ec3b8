// The programs' events, while somebody looks: a lease in the row `monitor`, and the reader of the ring `monitored`.
import type { MonitorEvent, MonitorKind } from '../../cli/monitor-event.ts';
import { fieldOffset } from '../../datapath/field-words.ts';
import { Counter, Direction, type Event, EventKind, LB_EVENT_SIZE, readEvent } from '../../datapath/layout.gen.ts';
import { Netlink } from '../../native/netlink.ts';
import { RingBuffer } from '../../native/ring-buffer.ts';
import { monotonicNs } from '../../native/system.ts';
import { counterName } from './counters.ts';
import { HostNames } from './flow-list.ts';
import type { PinnedTables } from './pinned-tables.ts';
import { packetProtocol } from './refusal-log.ts';
import { isCanary, readServices, SERVICE_TABLES, type ServiceUnit } from './service-directory.ts';

export const MONITOR_TABLES = [...SERVICE_TABLES, 'host_aliases', 'monitor', 'monitored'] as const;

const KINDS: Readonly<Record<MonitorKind, number>> = {
  drop: EventKind.LB_EVENT_REFUSED,
  reject: EventKind.LB_EVENT_REJECTED,
  new: EventKind.LB_EVENT_FLOW_NEW,
  socket: EventKind.LB_EVENT_SOCKET,
};
const KIND_NAMES = new Map(Object.entries(KINDS).map(([name, kind]) => [kind, name as MonitorKind]));
const REASON_NAMES = new Map<number, string>(Object.entries(Counter).map(([name, row]) => [row, counterName(name).name]));

/** The lease is written anew each second (renew), and outlives delays of that on a busy machine. */
const LEASE_NS = 5_000_000_000n;
/** The programs' clock is coarse: an event may look older than it is by a tick. */
const TICK_NS = 10_000_000n;
/** How often names are read again while events come. */
const NAMES_MS = 5000;
const CLOCK_MS = 10_000;

export class EventMonitor {
  readonly #opened: PinnedTables;
  readonly #row: BigUint64Array;
  readonly #kinds: Uint32Array;
  readonly #mask: number;
  readonly #names: EventNames;
  readonly #missedBefore: bigint;
  #ring: RingBuffer | null = null;

  /** Keeps `opened` until close(). */
  constructor(opened: PinnedTables, kinds: readonly MonitorKind[]) {
    this.#opened = opened;
    const { buffer, byteOffset } = opened.map('monitor').mmap();
    this.#row = new BigUint64Array(buffer, byteOffset, 2);
    this.#kinds = new Uint32Array(buffer, byteOffset + fieldOffset('monitor', 'kinds'), 1);
    this.#mask = kinds.reduce((mask, kind) => mask | (1 << KINDS[kind]), 0);
    this.#names = new EventNames(opened);
    this.#missedBefore = this.#missed;
  }

  /** From now on. What a monitor that was killed left in the ring is older, and left out. */
  start(onEvent: (event: MonitorEvent) => void): void {
    const sinceNs = monotonicNs() - TICK_NS;
    this.#ring = new RingBuffer(this.#opened.map('monitored'), (record) => {
      if (record.length < LB_EVENT_SIZE) return;
      const event = readEvent(record);
      const kind = KIND_NAMES.get(event.kind);
      if (kind === undefined || event.timeNs < sinceNs) return;
      const described = this.#names.describe(event, kind);
      if (!isCanary(described.service)) onEvent(described);
    });
    Atomics.store(this.#kinds, 0, this.#mask);
    this.renew();
  }

  /** To be called each second; a monitor that does not is one that was killed. */
  renew(): void {
    Atomics.store(this.#row, UNTIL, monotonicNs() + LEASE_NS);
  }

  /** Events that the programs could not tell, since the monitor was made. */
  get missed(): number {
    return Number(this.#missed - this.#missedBefore);
  }

  get #missed(): bigint {
    return Atomics.load(this.#row, MISSED);
  }

  /** The programs stop at once. Twice is fine. */
  close(): void {
    if (this.#ring === null) return;
    Atomics.store(this.#row, UNTIL, 0n);
    Atomics.store(this.#kinds, 0, 0);
    this.#ring.close();
    this.#ring = null;
    this.#opened.close();
  }
}

const UNTIL = fieldOffset('monitor', 'until_ns') / 8;
const MISSED = fieldOffset('monitor', 'missed') / 8;

/**
 * CLOCK_MONOTONIC as time of day. The difference is looked up now and then, since the time of day is set and drifts, and not for each
 * event, which would put events out of order by what the look-up takes.
 */
class WallClock {
  #differenceMs = 0;
  #readAtMs = Number.NEGATIVE_INFINITY;

  wallMs(timeNs: bigint): number {
    if (performance.now() - this.#readAtMs > CLOCK_MS) {
      this.#differenceMs = Date.now() - Number(monotonicNs()) / 1e6;
      this.#readAtMs = performance.now();
    }
    return Number(timeNs) / 1e6 + this.#differenceMs;
  }
}

/** Names for the numbers in events: Services, devices, and the node's addresses behind their aliases. */
class EventNames {
  readonly #opened: PinnedTables;
  #services: ReadonlyMap<number, ServiceUnit> = new Map();
  #devices: ReadonlyMap<number, string> = new Map();
  readonly #clock = new WallClock();
  #hostNames: HostNames;
  #readAtMs = Number.NEGATIVE_INFINITY;

  constructor(opened: PinnedTables) {
    this.#opened = opened;
    this.#hostNames = new HostNames(opened.map('host_aliases'));
  }

  describe(event: Event, kind: MonitorKind): MonitorEvent {
    this.#refresh(event);
    const isSocket = event.ifindex === 0;
    const hasSource = event.source.some((octet) => octet !== 0) || event.sourcePort !== 0;
    const hasBackend = event.backend.some((octet) => octet !== 0);
    return {
      timeMs: this.#clock.wallMs(event.timeNs),
      kind,
      reason: kind === 'drop' || kind === 'reject' ? (REASON_NAMES.get(event.reason) ?? `reason_${event.reason}`) : null,
      protocol: packetProtocol(event.protocol),
      source: hasSource ? { address: this.#hostNames.nameOf(event.source), port: event.sourcePort } : null,
      frontend: { address: event.destination, port: event.destinationPort },
      backend: hasBackend ? { address: event.backend, port: event.backendPort } : null,
      device: isSocket ? null : (this.#devices.get(event.ifindex) ?? `ifindex ${event.ifindex}`),
      hook: isSocket ? 'socket' : event.direction === Direction.LB_IN ? 'ingress' : 'egress',
      service: event.serviceId === 0 ? null : (this.#services.get(event.serviceId) ?? null),
    };
  }

  /** Now and then, and when something is not known yet, but not for each packet of a Service or device that is gone. */
  #refresh({ ifindex, serviceId }: Event): void {
    const ageMs = performance.now() - this.#readAtMs;
    const isUnknown = (ifindex !== 0 && !this.#devices.has(ifindex)) || (serviceId !== 0 && !this.#services.has(serviceId));
    if (ageMs < (isUnknown ? NAMES_MS / 10 : NAMES_MS)) return;
    this.#readAtMs = performance.now();
    this.#services = readServices(this.#opened);
    this.#devices = new Map(Netlink.listDevices().map((device) => [device.ifindex, device.name]));
    this.#hostNames = new HostNames(this.#opened.map('host_aliases'));
  }
}
