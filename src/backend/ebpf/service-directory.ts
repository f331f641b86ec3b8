// Who is behind the ids in the tables: Service ports and endpoints by name and address, for people.
import type { ServiceIdentity } from '../../cli/endpoint-filter.ts';
import { fieldWord, wordAt, wordsOf } from '../../datapath/field-words.ts';
import { FrontendFlag, LB_BACKEND_SIZE, readBackend } from '../../datapath/layout.gen.ts';
import type { BpfMap } from '../../native/bpf-map.ts';
import { isMapped } from '../../state/ip.ts';
import type { IpFamily, Protocol } from '../../state/model.ts';
import { CANARY_NAMESPACE } from './canary.ts';
import type { Tables } from './pinned-tables.ts';
import { protocolName } from './rows.ts';
import { ServiceTables } from './service-tables.ts';

/** One port of one Service in one family: what has an id and counters. */
export interface ServiceUnit extends ServiceIdentity {
  readonly id: number;
  readonly protocol: Protocol;
  readonly ipFamily: IpFamily;
}

export interface BackendUnit {
  readonly id: number;
  readonly serviceId: number;
  readonly address: Uint8Array;
  readonly port: number;
}

/** Tables that readServices() looks at. */
export const SERVICE_TABLES = [
  'frontends',
  'backends',
  'backend_states',
  'service_names',
  'service_stats',
  'backend_stats',
] as const;

/** The canary is no Service of anybody's: no command shows it. */
export const isCanary = (service: { readonly namespace: string } | null | undefined): boolean =>
  service?.namespace === CANARY_NAMESPACE;

/** Every unit that has a name, by id. Its port is that of its ClusterIP: a node port is another number. */
export function readServices(opened: Tables): Map<number, ServiceUnit> {
  const tables = ServiceTables.of(opened);
  const names = tables.names();
  const units = new Map<number, ServiceUnit>();
  for (const { frontendKey, frontend } of tables.frontends()) {
    const name = names.get(frontend.serviceId);
    const isNodePort = (frontend.flags & FrontendFlag.LB_FRONTEND_NODE_PORT) !== 0;
    if (!name || (isNodePort && units.has(frontend.serviceId))) continue;
    units.set(frontend.serviceId, {
      id: frontend.serviceId,
      namespace: name.namespaceName,
      name: name.name,
      portName: name.portName,
      port: isNodePort ? 0 : frontendKey.port,
      protocol: protocolName(frontendKey.protocol) ?? 'TCP',
      ipFamily: isMapped(frontendKey.address) ? 'IPv4' : 'IPv6',
    });
  }
  return units;
}

const STEP = LB_BACKEND_SIZE / 4;
const SERVICE_ID = fieldWord('backends', 'service_id');
const BACKEND_ID = fieldWord('backends', 'backend_id');

/** The Service of each endpoint that is on a list, by id; zero: of none. */
export function servicesOfBackends(backends: BpfMap): Uint32Array {
  const words = wordsOf(backends.mmap());
  const services = new Uint32Array(backends.maxEntries);
  for (let at = 0; at < backends.maxEntries * STEP; at += STEP) {
    const serviceId = wordAt(words, at + SERVICE_ID);
    if (serviceId !== 0) services[wordAt(words, at + BACKEND_ID)] = serviceId;
  }
  return services;
}

/** Every endpoint that is on a list, by id. */
export function readBackends(backends: BpfMap): Map<number, BackendUnit> {
  const bytes = backends.mmap();
  const words = wordsOf(bytes);
  const units = new Map<number, BackendUnit>();
  for (let row = 0; row < backends.maxEntries; row++) {
    if (wordAt(words, row * STEP + SERVICE_ID) === 0) continue;
    const { backendId, serviceId, address, port } = readBackend(bytes, row * LB_BACKEND_SIZE);
    if (backendId !== 0) units.set(backendId, { id: backendId, serviceId, address, port });
  }
  return units;
}
