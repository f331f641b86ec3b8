// What a former process left in the pinned tables, as programmed units: ids and lists are taken over, so that a restart writes nothing.
import { addressText } from '../../datapath/address.ts';
import { BackendFlag, type Frontend } from '../../datapath/layout.gen.ts';
import { isMapped } from '../../state/ip.ts';
import type { Extent } from './extents.ts';
import { type BackendIdentity, EMPTY_LIST, type ProgrammedList, type ProgrammedUnit } from './programmed-unit.ts';
import { protocolName } from './rows.ts';
import type { ServiceTables } from './service-tables.ts';

export interface Restored {
  readonly units: Map<string, ProgrammedUnit>; // by unit key
  /** Rows that belong to no unit: a Service without a name, or rows that contradict each other. Removed at the first full sync. */
  readonly orphans: readonly Orphan[];
}

/** In force until that sync, so what it refers to is in use. */
export interface Orphan {
  readonly key: string; // frontend key text
  readonly frontend: Frontend;
}

interface Group {
  unitKey: string;
  frontends: Map<string, number>;
  sample: Frontend;
}

export function restoreUnits(tables: ServiceTables): Restored {
  const names = tables.names();
  const groups = new Map<number, Group>(); // by service id
  const orphans: Orphan[] = [];
  for (const { key, frontendKey, frontend } of tables.frontends()) {
    const name = names.get(frontend.serviceId);
    const protocol = protocolName(frontendKey.protocol);
    if (!name || protocol === null) {
      orphans.push({ key, frontend });
      continue;
    }
    const family = isMapped(frontendKey.address) ? 'IPv4' : 'IPv6';
    const unitKey = `${name.namespaceName}/${name.name}:${name.portName}/${protocol}/${family}`;
    const group = groups.get(frontend.serviceId) ?? { unitKey, frontends: new Map(), sample: frontend };
    groups.set(frontend.serviceId, group);
    const isOfGroup = group.unitKey === unitKey && isSameList(group.sample, frontend);
    if (isOfGroup) group.frontends.set(key, frontend.flags);
    else orphans.push({ key, frontend });
  }
  const units = new Map<string, ProgrammedUnit>();
  for (const [serviceId, group] of groups) {
    const backends = new Map<string, BackendIdentity>();
    const cluster = readList(tables, serviceId, group.sample.cluster, backends);
    const local = readList(tables, serviceId, group.sample.local, backends);
    const lingering = readList(tables, serviceId, group.sample.lingering, backends);
    // A former process had a larger table: what counts by the id has no row for it.
    const isBeyond = serviceId >= tables.serviceIds || [...backends.values()].some(({ id }) => id >= tables.backendRows);
    if (!cluster || !local || !lingering || isBeyond || units.has(group.unitKey)) {
      orphans.push(...[...group.frontends.keys()].map((key) => ({ key, frontend: group.sample })));
      continue;
    }
    const { affinitySeconds, generation } = group.sample;
    const lists = { cluster, local, lingering };
    units.set(group.unitKey, { serviceId, frontends: group.frontends, affinitySeconds, generation, ...lists, backends });
  }
  return { units, orphans };
}

const isSameList = (a: Frontend, b: Frontend): boolean =>
  a.cluster.base === b.cluster.base &&
  a.cluster.count === b.cluster.count &&
  a.local.base === b.local.base &&
  a.local.count === b.local.count &&
  a.lingering.base === b.lingering.base &&
  a.lingering.count === b.lingering.count;

/** Null when a row of the list is not this Service's. */
function readList(
  tables: ServiceTables,
  serviceId: number,
  extent: Extent,
  backends: Map<string, BackendIdentity>,
): ProgrammedList | null {
  if (extent.count === 0) return EMPTY_LIST;
  if (extent.base + extent.count > tables.backendRows) return null;
  const keys: string[] = [];
  for (let row = extent.base; row < extent.base + extent.count; row++) {
    const backend = tables.readBackend(row);
    if (backend.serviceId !== serviceId) return null;
    const endpoint = `${addressText(backend.address)} ${backend.port}`;
    keys.push(backend.flags & BackendFlag.LB_BACKEND_LOCAL ? `${endpoint} local` : endpoint);
    backends.set(endpoint, { id: backend.backendId, generation: backend.generation });
  }
  return { key: keys.join(','), extent };
}
