// The tables that hold Services, as typed rows over native maps. Nothing here decides anything.
import { u32Bytes, viewOf } from '../../datapath/bytes.ts';
import {
  type Backend,
  type Frontend,
  type FrontendKey,
  LB_BACKEND_SIZE,
  LB_BACKEND_STATE_SIZE,
  LB_FRONTEND_KEY_SIZE,
  LB_FRONTEND_SIZE,
  LB_SERVICE_NAME_SIZE,
  LB_STATS_SIZE,
  readBackend,
  readFrontend,
  readFrontendKey,
  readServiceName,
  readStats,
  type ServiceName,
  type Stats,
  writeBackend,
  writeFrontend,
  writeFrontendKey,
  writeServiceName,
} from '../../datapath/layout.gen.ts';
import type { MapName } from '../../datapath/object-file.ts';
import type { BpfMap } from '../../native/bpf-map.ts';
import { writing } from './table-full.ts';

export interface ServiceMaps {
  readonly frontends: BpfMap;
  readonly backends: BpfMap;
  readonly backendStates: BpfMap;
  readonly serviceNames: BpfMap;
  readonly serviceStats: BpfMap;
  readonly backendStats: BpfMap;
}

export const frontendKeyBytes = (key: FrontendKey): Uint8Array => {
  const bytes = new Uint8Array(LB_FRONTEND_KEY_SIZE);
  writeFrontendKey(bytes, 0, key);
  return bytes;
};

/** `key` octets as a string, to look rows up by. */
export const keyText = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
export const keyBytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));

const NO_STATS = readStats(new Uint8Array(LB_STATS_SIZE));

export class ServiceTables {
  /** Those of an object, or of whatever else has maps by these names. */
  static of(object: { map(name: MapName): BpfMap }): ServiceTables {
    return new ServiceTables({
      frontends: object.map('frontends'),
      backends: object.map('backends'),
      backendStates: object.map('backend_states'),
      serviceNames: object.map('service_names'),
      serviceStats: object.map('service_stats'),
      backendStats: object.map('backend_stats'),
    });
  }

  readonly #maps: ServiceMaps;
  readonly #backends: Uint8Array;
  readonly #states: DataView;
  readonly #serviceStats: Uint8Array;
  readonly #backendStats: Uint8Array;

  constructor(maps: ServiceMaps) {
    this.#maps = maps;
    this.#backends = maps.backends.mmap();
    this.#states = viewOf(maps.backendStates.mmap());
    this.#serviceStats = maps.serviceStats.mmap();
    this.#backendStats = maps.backendStats.mmap();
  }

  get frontendRows(): number {
    return this.#maps.frontends.maxEntries;
  }
  get backendRows(): number {
    return this.#maps.backends.maxEntries;
  }
  get serviceIds(): number {
    return this.#maps.serviceStats.maxEntries;
  }

  writeBackend(row: number, backend: Backend): void {
    writeBackend(this.#backends, row * LB_BACKEND_SIZE, backend);
  }

  readBackend(row: number): Backend {
    return readBackend(this.#backends, row * LB_BACKEND_SIZE);
  }

  generation(backendId: number): number {
    return this.#states.getUint32(backendId * LB_BACKEND_STATE_SIZE, true);
  }

  /** The endpoint has left, so it is on no list: UDP flows to it select again, and so do clients that were bound to it. */
  raiseGeneration(backendId: number): void {
    this.#states.setBigUint64(backendId * LB_BACKEND_STATE_SIZE, BigInt((this.generation(backendId) + 1) >>> 0), true);
  }

  /** Which lists (enum lb_backend_list) have the endpoint. */
  setLists(backendId: number, lists: number): void {
    this.#states.setUint32(backendId * LB_BACKEND_STATE_SIZE + 4, lists, true);
  }

  /** Publishes rows in batches; the system call orders them after the stores to `backends`. */
  publish(rows: readonly { readonly key: string; readonly frontend: Frontend }[]): void {
    if (rows.length === 0) return;
    const keys = new Uint8Array(rows.length * LB_FRONTEND_KEY_SIZE);
    const values = new Uint8Array(rows.length * LB_FRONTEND_SIZE);
    for (const [i, { key, frontend }] of rows.entries()) {
      keys.set(keyBytes(key), i * LB_FRONTEND_KEY_SIZE);
      writeFrontend(values, i * LB_FRONTEND_SIZE, frontend);
    }
    writing(this.#maps.frontends, () => this.#maps.frontends.setBatch(keys, values, rows.length));
  }

  withdraw(keys: readonly string[]): void {
    for (const key of keys) this.#maps.frontends.delete(keyBytes(key));
  }

  name(serviceId: number, name: ServiceName): void {
    const value = new Uint8Array(LB_SERVICE_NAME_SIZE);
    writeServiceName(value, 0, name);
    writing(this.#maps.serviceNames, () => this.#maps.serviceNames.set(u32Bytes(serviceId), value));
  }

  forgetName(serviceId: number): void {
    this.#maps.serviceNames.delete(u32Bytes(serviceId));
  }

  zeroServiceStats(serviceId: number): void {
    this.#serviceStats.fill(0, serviceId * LB_STATS_SIZE, (serviceId + 1) * LB_STATS_SIZE);
  }

  zeroBackendStats(backendId: number): void {
    this.#backendStats.fill(0, backendId * LB_STATS_SIZE, (backendId + 1) * LB_STATS_SIZE);
  }

  /** What happened to a Service, but for packets and octets of flows that live. */
  serviceStats(serviceId: number): Stats {
    if (serviceId >= this.serviceIds) return NO_STATS; // of a former, larger table, until the first pass
    return readStats(this.#serviceStats, serviceId * LB_STATS_SIZE);
  }

  /** The same of an endpoint. */
  backendStats(backendId: number): Stats {
    return readStats(this.#backendStats, backendId * LB_STATS_SIZE);
  }

  *frontends(): Generator<{ key: string; frontendKey: FrontendKey; frontend: Frontend }> {
    const { count, keys, values } = this.#maps.frontends.getBatch();
    for (let i = 0; i < count; i++) {
      const key = keys.slice(i * LB_FRONTEND_KEY_SIZE, (i + 1) * LB_FRONTEND_KEY_SIZE);
      yield { key: keyText(key), frontendKey: readFrontendKey(key), frontend: readFrontend(values, i * LB_FRONTEND_SIZE) };
    }
  }

  names(): Map<number, ServiceName> {
    const { count, keys, values } = this.#maps.serviceNames.getBatch();
    const view = viewOf(keys);
    return new Map(
      Array.from({ length: count }, (_, i) => [view.getUint32(i * 4, true), readServiceName(values, i * LB_SERVICE_NAME_SIZE)]),
    );
  }
}
