// What each Service and endpoint did, since its row was made: what ended flows left in the statistics, and what live ones hold.
import type { Traffic } from '../../cli/traffic.ts';
import { counterAt, fieldWord, wordAt, wordsOf } from '../../datapath/field-words.ts';
import { LB_BACKEND_STATE_SIZE, LB_STATS_SIZE } from '../../datapath/layout.gen.ts';
import type { BpfMap } from '../../native/bpf-map.ts';
import type { ServiceReading } from '../backend.ts';
import { LiveFlows } from './live-flows.ts';
import type { Tables } from './pinned-tables.ts';
import {
  type BackendUnit,
  isCanary,
  readBackends,
  readServices,
  SERVICE_TABLES,
  type ServiceUnit,
  servicesOfBackends,
} from './service-directory.ts';

export const TRAFFIC_TABLES = [...SERVICE_TABLES, 'flow_states'] as const;

export interface ServiceTraffic {
  readonly service: ServiceUnit;
  readonly traffic: Traffic;
}
export interface BackendTraffic {
  readonly backend: BackendUnit;
  readonly service: ServiceUnit | null;
  readonly traffic: Traffic;
}
export interface TrafficReading {
  readonly services: readonly ServiceTraffic[];
  readonly backends: readonly BackendTraffic[];
}

const STEP = LB_STATS_SIZE / 4;
const SOCKETS_OPEN = fieldWord('backend_stats', 'sockets_open');
const FIELDS = ['connections', 'rejects', 'drops', 'request_packets', 'request_bytes', 'reply_packets', 'reply_bytes'] as const;
const WORDS = FIELDS.map((field) => fieldWord('service_stats', field));
const FIRST_OF_FLOWS = FIELDS.indexOf('request_packets'); // from here on live flows have a part

/**
 * Reads totals again and again; they never go backwards, though a flow's numbers may be between its row and the statistics while they
 * are read. Statistics are read before flows: what ends in between is missing once, and there at the next reading. Nothing is counted
 * twice: a row that is being ended is no live flow any more when its numbers are added.
 */
export class TrafficTotals {
  #former = new Map<string, Float64Array>();

  /** Walks the tables of flows and of backends once. Without `withBackends` there are none, and none are remembered. */
  read(opened: Tables, withBackends = false): TrafficReading {
    const services = readServices(opened);
    const backends = withBackends ? readBackends(opened.map('backends')) : new Map<number, BackendUnit>();
    const sums = new Map<string, Float64Array>();
    const serviceSums = readSums(opened.map('service_stats'), services.keys());
    const backendSums = readSums(opened.map('backend_stats'), backends.keys());
    const [serviceActive, backendActive] = [new Map<number, number>(), new Map<number, number>()];
    addSockets(opened, serviceActive, backendActive);
    const generations = wordsOf(opened.map('backend_states').mmap());
    new LiveFlows(opened.map('flow_states')).eachCounts(({ serviceId, backendId, backendGeneration, isClosed, counters }) => {
      addFlow(serviceSums.get(serviceId), counters);
      if (!isClosed) add(serviceActive, serviceId, 1);
      // Its row is another endpoint's, or soon will be.
      if (wordAt(generations, (backendId * LB_BACKEND_STATE_SIZE) / 4) !== backendGeneration) return;
      addFlow(backendSums.get(backendId), counters);
      if (!isClosed) add(backendActive, backendId, 1);
    });
    const settled = (key: string, sum: Float64Array | undefined, active: number): Traffic => {
      const grown = notBelow(sum ?? new Float64Array(FIELDS.length), this.#former.get(key));
      sums.set(key, grown);
      return trafficOf(grown, active);
    };
    const reading = {
      services: [...services.values()]
        .filter((service) => !isCanary(service))
        .map((service) => ({
          service,
          traffic: settled(serviceKey(service), serviceSums.get(service.id), serviceActive.get(service.id) ?? 0),
        })),
      backends: [...backends.values()]
        .filter(({ serviceId }) => !isCanary(services.get(serviceId)))
        .map((backend) => ({
          backend,
          service: services.get(backend.serviceId) ?? null,
          traffic: settled(backendKey(backend), backendSums.get(backend.id), backendActive.get(backend.id) ?? 0),
        })),
    };
    this.#former = sums;
    return reading;
  }
}

/** For metrics. */
export function serviceReadings({ services }: TrafficReading): ServiceReading[] {
  return services.map(({ service, traffic }) => ({
    namespace: service.namespace,
    service: service.name,
    port: service.portName || String(service.port),
    connections: traffic.connections,
    active: traffic.active,
    packets: traffic.requestPackets + traffic.replyPackets,
    bytes: traffic.requestBytes + traffic.replyBytes,
    rejects: traffic.rejects,
    drops: traffic.drops,
  }));
}

/** An id is given out again; with what it stood for it is unique enough. */
export const serviceKey = ({ id, namespace, name, portName }: ServiceUnit): string => `${id} ${namespace}/${name}:${portName}`;
export const backendKey = ({ id, serviceId, address, port }: BackendUnit): string =>
  `backend ${id} ${serviceId} ${Buffer.from(address).toString('latin1')} ${port}`;

function readSums(stats: BpfMap, ids: Iterable<number>): Map<number, Float64Array> {
  const words = wordsOf(stats.mmap());
  const sums = new Map<number, Float64Array>();
  for (const id of ids)
    sums.set(
      id,
      Float64Array.from(WORDS, (word) => counterAt(words, id * STEP + word)),
    );
  return sums;
}

/** Sockets are counted for their endpoints only; a Service has those of all of them. */
function addSockets(opened: Tables, serviceActive: Map<number, number>, backendActive: Map<number, number>): void {
  const words = wordsOf(opened.map('backend_stats').mmap());
  for (const [id, serviceId] of servicesOfBackends(opened.map('backends')).entries()) {
    if (serviceId === 0) continue;
    // Signed: a socket may be closed whose opening was counted for an endpoint that had the row before.
    const open = wordAt(words, id * STEP + SOCKETS_OPEN) | 0;
    if (open <= 0) continue;
    add(backendActive, id, open);
    add(serviceActive, serviceId, open);
  }
}

/** Open sockets that connect() gave an endpoint of these Services. */
export function countSockets(opened: Tables, accepts: (service: ServiceUnit) => boolean): number {
  const byService = new Map<number, number>();
  addSockets(opened, byService, new Map());
  const services = readServices(opened);
  let count = 0;
  for (const [id, open] of byService) {
    const service = services.get(id);
    if (service && !isCanary(service) && accepts(service)) count += open;
  }
  return count;
}

const add = (counts: Map<number, number>, id: number, count: number): void => void counts.set(id, (counts.get(id) ?? 0) + count);

function addFlow(sum: Float64Array | undefined, counters: Float64Array): void {
  if (!sum) return;
  for (let i = 0; i < counters.length; i++) sum[FIRST_OF_FLOWS + i] = (sum[FIRST_OF_FLOWS + i] ?? 0) + (counters[i] ?? 0);
}

function notBelow(sum: Float64Array, former: Float64Array | undefined): Float64Array {
  return former ? sum.map((value, i) => Math.max(value, former[i] ?? 0)) : sum;
}

function trafficOf(sum: Float64Array, active: number): Traffic {
  const [connections = 0, rejects = 0, drops = 0, requestPackets = 0, requestBytes = 0, replyPackets = 0, replyBytes = 0] = sum;
  return { connections, active, rejects, drops, requestPackets, requestBytes, replyPackets, replyBytes };
}
