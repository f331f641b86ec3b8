// The mapped tables of Services, endpoints and flows in memory, for what reads them.
import type { Tables } from '../../../src/backend/ebpf/pinned-tables.ts';
import { addressOctets } from '../../../src/datapath/address.ts';
import { u32Bytes } from '../../../src/datapath/bytes.ts';
import {
  type FlowState,
  LB_BACKEND_SIZE,
  LB_BACKEND_STATE_SIZE,
  LB_FLOW_STATE_SIZE,
  LB_FRONTEND_KEY_SIZE,
  LB_FRONTEND_SIZE,
  LB_SERVICE_NAME_SIZE,
  LB_STATS_SIZE,
  type Stats,
  writeBackend,
  writeFlowState,
  writeFrontend,
  writeFrontendKey,
  writeServiceName,
  writeStats,
} from '../../../src/datapath/layout.gen.ts';
import type { BpfMap } from '../../../src/native/bpf-map.ts';

const ROWS = 16;

/** Service 1 is default/web:http on port 80, with endpoints 1 and 2; service 2 is default/api:80 without any; 3 is the canary. */
export class TrafficTables implements Tables {
  readonly flows = new Uint8Array(ROWS * LB_FLOW_STATE_SIZE);
  readonly #serviceStats = new Uint8Array(ROWS * LB_STATS_SIZE);
  readonly #backendStats = new Uint8Array(ROWS * LB_STATS_SIZE);
  readonly #backends = new Uint8Array(ROWS * LB_BACKEND_SIZE);
  readonly #states = new Uint8Array(ROWS * LB_BACKEND_STATE_SIZE);
  /** Called while the table of flows is copied or walked, before the row is looked at again. */
  whileRead: () => void = () => {};

  constructor() {
    for (const id of [1, 2, 3]) {
      const address = addressOctets(`10.244.0.${id}`);
      writeBackend(this.#backends, id * LB_BACKEND_SIZE, {
        address,
        port: 8080,
        flags: 0,
        serviceId: id === 3 ? 3 : 1,
        backendId: id,
        generation: 0,
      });
    }
  }

  setFlow(row: number, flow: Partial<FlowState>): void {
    writeFlowState(this.flows, row * LB_FLOW_STATE_SIZE, { ...NO_FLOW, ...flow });
  }
  setServiceStats(id: number, stats: Partial<Stats>): void {
    writeStats(this.#serviceStats, id * LB_STATS_SIZE, { ...NO_STATS, ...stats });
  }
  setBackendStats(id: number, stats: Partial<Stats>): void {
    writeStats(this.#backendStats, id * LB_STATS_SIZE, { ...NO_STATS, ...stats });
  }

  map(name: string): BpfMap {
    return this.#maps()[name] as unknown as BpfMap;
  }

  #maps(): Record<string, object> {
    const mapped = (bytes: Uint8Array): object => ({ mmap: () => bytes, maxEntries: ROWS });
    return {
      frontends: batch(LB_FRONTEND_KEY_SIZE, LB_FRONTEND_SIZE, [1, 2, 3], (keys, values, i, id) => {
        writeFrontendKey(keys, i * LB_FRONTEND_KEY_SIZE, { address: addressOctets(`10.96.0.${id}`), port: 80, protocol: 6 });
        writeFrontend(values, i * LB_FRONTEND_SIZE, { ...FRONTEND, serviceId: id });
      }),
      service_names: batch(4, LB_SERVICE_NAME_SIZE, [1, 2, 3], (keys, values, i, id) => {
        keys.set(u32Bytes(id), i * 4);
        const names = [
          { namespaceName: 'default', name: 'web', portName: 'http' },
          { namespaceName: 'default', name: 'api', portName: '' },
        ];
        const canary = { namespaceName: '', name: 'canary', portName: 'udp' };
        writeServiceName(values, i * LB_SERVICE_NAME_SIZE, names[id - 1] ?? canary);
      }),
      host_aliases: batch(16, 16, [], () => {}),
      backends: mapped(this.#backends),
      backend_states: mapped(this.#states),
      service_stats: mapped(this.#serviceStats),
      backend_stats: mapped(this.#backendStats),
      flow_states: { mmap: () => this.#watchedFlows(), maxEntries: ROWS },
    };
  }

  /** The octets of flows; copying them lets somebody else write meanwhile, as programs do. */
  #watchedFlows(): Uint8Array {
    const view = this.flows.subarray();
    view.slice = (...range) => {
      const copy = this.flows.slice(...range);
      this.whileRead();
      return copy;
    };
    return view;
  }
}

function batch(
  keySize: number,
  valueSize: number,
  ids: readonly number[],
  write: (keys: Uint8Array, values: Uint8Array, i: number, id: number) => void,
): object {
  const [keys, values] = [new Uint8Array(ids.length * keySize), new Uint8Array(ids.length * valueSize)];
  for (const [i, id] of ids.entries()) write(keys, values, i, id);
  return { getBatch: () => ({ count: ids.length, keys, values }) };
}

const NO_EXTENT = { base: 0, count: 0 };
const FRONTEND = { cluster: NO_EXTENT, local: NO_EXTENT, lingering: NO_EXTENT, flags: 0, affinitySeconds: 0, generation: 0 };
const NO_STATS: Stats = {
  ...{ connections: 0n, rejects: 0n, drops: 0n, socketsOpen: 0n },
  ...{ requestPackets: 0n, requestBytes: 0n, replyPackets: 0n, replyBytes: 0n },
};
export const NO_FLOW: FlowState = {
  ...{ lastSeenNs: 0n, claim: 7, flags: 0, serviceId: 1, backendId: 1, backendGeneration: 0, startedNs: 0n },
  ...{ requestPackets: 0n, requestBytes: 0n, replyPackets: 0n, replyBytes: 0n },
  ...{ client: addressOctets('10.0.0.9'), frontend: addressOctets('10.96.0.1'), backend: addressOctets('10.244.0.1') },
  ...{ source: addressOctets('10.244.0.254'), clientPort: 4000, frontendPort: 80, backendPort: 8080, sourcePort: 12_000 },
  ...{ stackPort: 4000, protocol: 6 },
};
