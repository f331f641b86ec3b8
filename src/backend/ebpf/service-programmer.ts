// Units -> rows, in an order in which a reader never sees a hole.

import { addressOctets } from '../../datapath/address.ts';
import { BackendFlag, type Frontend } from '../../datapath/layout.gen.ts';
import { TurnoutError } from '../../errors.ts';
import type { Changes, DesiredState, Endpoint, ServicePort } from '../../state/model.ts';
import type { SyncReport } from '../backend.ts';
import { type Extent, ExtentAllocator } from './extents.ts';
import { IdAllocator } from './ids.ts';
import { type BackendIdentity, EMPTY_LIST, type ProgrammedList, type ProgrammedUnit } from './programmed-unit.ts';
import { restoreUnits } from './restore.ts';
import { endpointKey, frontendRowsOf, listKey } from './rows.ts';
import { frontendKeyBytes, keyText, type ServiceTables } from './service-tables.ts';

/** How long rows and ids stay untouched after their last reader could have found them. Programs run for microseconds. */
const GRACE_MS = 1000;
/** Owner of a row that a former process left and that belongs to no unit. */
const ORPHAN = '';

/** What one sync is about to do. Backend rows are written at once: nobody reads them before their frontends are published. */
interface Batch {
  readonly published: Map<string, { owner: string; frontend: Frontend }>; // by frontend key
  added: number; // rows of `published` that are not there yet
  readonly withdrawn: Map<string, string>; // frontend key -> its owner
  readonly left: BackendIdentity[]; // endpoints that are gone
  readonly released: Extent[];
  readonly units: Map<string, ProgrammedUnit | null>; // what will be programmed; null: nothing
  readonly releasedServiceIds: number[];
}

/** What one unit takes before anybody reads it: given back when the unit fails. */
interface Taken {
  readonly extents: Extent[];
  readonly backendIds: number[];
  readonly serviceIds: number[];
}

/**
 * Invariants:
 * - A list never changes in place: a new one is written to free rows, then every frontend of the unit is published with it.
 * - What is freed (rows, ids) is given out again after a grace period at the earliest.
 * - `#units` and `#owners` are what the kernel holds; they change only after the kernel did.
 * - A row is published only where there is room for it, so a full table fails the units that do not fit and no others.
 */
export class ServiceProgrammer {
  readonly #tables: ServiceTables;
  readonly #extents: ExtentAllocator;
  readonly #serviceIds: IdAllocator;
  readonly #backendIds: IdAllocator;
  readonly #owners = new Map<string, string>(); // frontend key -> key of the unit that published its row; ORPHAN: nobody's
  #units: Map<string, ProgrammedUnit>;

  constructor(tables: ServiceTables, now: () => number = () => performance.now()) {
    this.#tables = tables;
    this.#extents = new ExtentAllocator(tables.backendRows, GRACE_MS, now);
    this.#serviceIds = new IdAllocator(tables.serviceIds, GRACE_MS, now);
    this.#backendIds = new IdAllocator(tables.backendRows, GRACE_MS, now);
    const { units, orphans } = restoreUnits(tables);
    this.#units = units;
    for (const { key } of orphans) this.#owners.set(key, ORPHAN);
    for (const [unitKey, { frontends }] of units) for (const key of frontends.keys()) this.#owners.set(key, unitKey);
    const programmed = [...units.values()];
    // Orphans keep theirs until the next start: rare, and their lists may be those of units.
    const left = orphans.map(({ frontend }) => frontend);
    const extents = [
      ...programmed.flatMap(({ cluster, local }) => [cluster.extent, local.extent]),
      ...left.flatMap(({ cluster, local }) => [cluster, local]).filter(({ base, count }) => base + count <= tables.backendRows),
    ];
    this.#extents.restore(extents);
    this.#serviceIds.restore([...programmed, ...left].map(({ serviceId }) => serviceId));
    this.#backendIds.restore(programmed.flatMap(({ backends }) => [...backends.values()].map(({ id }) => id)));
  }

  get usedBackendRows(): number {
    return this.#extents.used;
  }

  get usedFrontends(): number {
    return this.#owners.size;
  }

  sync(desired: DesiredState, changes: Changes): SyncReport {
    const upserted = changes.full ? desired.servicePorts.keys() : changes.upserted;
    const removed = changes.full ? [...this.#units.keys()].filter((key) => !desired.servicePorts.has(key)) : changes.removed;
    const batch: Batch = {
      ...{ published: new Map(), added: 0, withdrawn: new Map() },
      ...{ left: [], released: [], units: new Map(), releasedServiceIds: [] },
    };
    const failures: { key: string; message: string }[] = [];
    if (changes.full) for (const [key, owner] of this.#owners) if (owner === ORPHAN) batch.withdrawn.set(key, owner);
    for (const key of removed) this.#remove(key, batch);
    for (const key of upserted) {
      const unit = desired.servicePorts.get(key);
      const taken: Taken = { extents: [], backendIds: [], serviceIds: [] };
      try {
        if (unit) this.#write(unit, batch, taken);
      } catch (error) {
        this.#giveBack(taken);
        failures.push({ key, message: error instanceof Error ? error.message : String(error) });
      }
    }
    this.#commit(batch);
    const written = [...batch.units.values()].filter((unit) => unit !== null).length;
    return { servicePortsWritten: written, servicePortsRemoved: batch.units.size - written, failures };
  }

  #remove(key: string, batch: Batch): void {
    const unit = this.#units.get(key);
    if (!unit) return;
    for (const frontend of unit.frontends.keys()) batch.withdrawn.set(frontend, key);
    batch.left.push(...unit.backends.values());
    batch.released.push(unit.cluster.extent, unit.local.extent);
    batch.releasedServiceIds.push(unit.serviceId);
    batch.units.set(key, null);
  }

  #write(unit: ServicePort, batch: Batch, taken: Taken): void {
    const rows = frontendRowsOf(unit).map(({ key, flags }) => ({ key: keyText(frontendKeyBytes(key)), flags }));
    const before = this.#units.get(unit.key);
    if (rows.length === 0) return this.#remove(unit.key, batch);
    const frontends = new Map(rows.map(({ key, flags }) => [key, flags]));
    // A local list is read only under a Local policy; elsewhere it would cost a write for nothing.
    const usesLocal = unit.internalTrafficPolicy === 'Local' || unit.externalTrafficPolicy === 'Local';
    const lists = { cluster: unit.clusterEndpoints, local: usesLocal ? unit.localEndpoints : [] };
    const clusterKey = listKey(lists.cluster);
    const localKey = listKey(lists.local);
    const isListKept = before?.cluster.key === clusterKey && before.local.key === localKey;
    const isKept = isListKept && before.affinitySeconds === unit.sessionAffinitySeconds && isSameMap(before.frontends, frontends);
    // Another unit may have taken a frontend while this one could not be written.
    if (isKept && [...frontends.keys()].every((key) => this.#owners.get(key) === unit.key)) return;

    const added = this.#newRows(frontends, batch);
    const serviceId = before?.serviceId ?? this.#newServiceId(unit, taken);
    const { backends, left } = this.#identities([...lists.cluster, ...lists.local], before, taken);
    const keep = { serviceId, backends };
    const cluster = this.#list(lists.cluster, clusterKey, before?.cluster, keep, taken);
    const local = this.#list(lists.local, localKey, before?.local, keep, taken);
    if (before && before.cluster !== cluster) batch.released.push(before.cluster.extent);
    if (before && before.local !== local) batch.released.push(before.local.extent);
    const generation = ((before?.generation ?? 0) + 1) >>> 0;
    const affinitySeconds = unit.sessionAffinitySeconds;
    for (const [key, flags] of frontends) {
      const frontend = { cluster: cluster.extent, local: local.extent, serviceId, flags, affinitySeconds, generation };
      batch.published.set(key, { owner: unit.key, frontend });
    }
    for (const key of before?.frontends.keys() ?? []) if (!frontends.has(key)) batch.withdrawn.set(key, unit.key);
    batch.added += added;
    batch.left.push(...left);
    batch.units.set(unit.key, { serviceId, frontends, affinitySeconds, generation, cluster, local, backends });
  }

  /** How many rows this unit adds. Rows that go are still there when new ones are published; the next pass has their room. */
  #newRows(frontends: ReadonlyMap<string, number>, batch: Batch): number {
    const added = [...frontends.keys()].filter((key) => !this.#owners.has(key)).length;
    if (added > 0 && this.#owners.size + batch.added + added > this.#tables.frontendRows) {
      throw new TurnoutError('EFRONTENDSFULL', `no room for ${added} frontend rows`, { hint: 'raise --ebpf-service-table-size' });
    }
    return added;
  }

  /** Endpoints keep their identity for as long as they stay in the unit. */
  #identities(
    endpoints: readonly Endpoint[],
    before: ProgrammedUnit | undefined,
    taken: Taken,
  ): { backends: Map<string, BackendIdentity>; left: BackendIdentity[] } {
    const backends = new Map<string, BackendIdentity>();
    for (const endpoint of endpoints) {
      const key = endpointKey(endpoint);
      if (backends.has(key)) continue;
      backends.set(key, before?.backends.get(key) ?? this.#newBackend(taken));
    }
    const left = [...(before?.backends.entries() ?? [])].filter(([key]) => !backends.has(key)).map(([, identity]) => identity);
    return { backends, left };
  }

  #newBackend(taken: Taken): BackendIdentity {
    const allocated = this.#backendIds.allocate();
    if (!allocated) throw new TurnoutError('EBACKENDSFULL', 'no free backend id', { hint: 'raise --ebpf-backend-table-size' });
    taken.backendIds.push(allocated.id);
    return { id: allocated.id, generation: this.#tables.generation(allocated.id) };
  }

  #newServiceId(unit: ServicePort, taken: Taken): number {
    const allocated = this.#serviceIds.allocate();
    if (!allocated) throw new TurnoutError('ESERVICESFULL', 'no free service id', { hint: 'raise --ebpf-service-table-size' });
    taken.serviceIds.push(allocated.id);
    if (allocated.isReused) this.#tables.zeroStats(allocated.id);
    this.#tables.name(allocated.id, { namespaceName: unit.namespace, name: unit.name, portName: unit.portName });
    return allocated.id;
  }

  #list(
    endpoints: readonly Endpoint[],
    key: string,
    before: ProgrammedList | undefined,
    keep: { serviceId: number; backends: ReadonlyMap<string, BackendIdentity> },
    taken: Taken,
  ): ProgrammedList {
    if (before?.key === key) return before;
    if (endpoints.length === 0) return EMPTY_LIST;
    const extent = this.#extents.allocate(endpoints.length);
    if (!extent) {
      throw new TurnoutError('EBACKENDSFULL', `no room for ${endpoints.length} backend rows`, {
        hint: 'raise --ebpf-backend-table-size',
      });
    }
    taken.extents.push(extent);
    for (const [i, endpoint] of endpoints.entries()) {
      const identity = keep.backends.get(endpointKey(endpoint)) ?? { id: 0, generation: 0 };
      this.#tables.writeBackend(extent.base + i, {
        address: addressOctets(endpoint.ip),
        port: endpoint.port,
        flags: endpoint.isLocal ? BackendFlag.LB_BACKEND_LOCAL : 0,
        serviceId: keep.serviceId,
        backendId: identity.id,
        generation: identity.generation,
      });
    }
    return { key, extent };
  }

  #giveBack({ extents, backendIds, serviceIds }: Taken): void {
    for (const extent of extents) this.#extents.release(extent);
    for (const id of backendIds) this.#backendIds.release(id);
    for (const id of serviceIds) {
      this.#tables.forgetName(id);
      this.#serviceIds.release(id);
    }
  }

  /** New lists first, then what goes: an address that moves from one unit to another is published last. */
  #commit(batch: Batch): void {
    this.#tables.publish([...batch.published].map(([key, { frontend }]) => ({ key, frontend })));
    for (const [key, { owner }] of batch.published) this.#owners.set(key, owner);
    // Only what is still its own: another unit may have published the address, now or in a pass before.
    const withdrawn = [...batch.withdrawn].filter(([key, owner]) => this.#owners.get(key) === owner);
    this.#tables.withdraw(withdrawn.map(([key]) => key));
    for (const [key] of withdrawn) this.#owners.delete(key);
    for (const { id } of batch.left) {
      this.#tables.raiseGeneration(id);
      this.#backendIds.release(id);
    }
    for (const extent of batch.released) this.#extents.release(extent);
    for (const id of batch.releasedServiceIds) {
      this.#tables.forgetName(id);
      this.#tables.zeroStats(id); // the next process does not know that this id was used
      this.#serviceIds.release(id);
    }
    for (const [key, unit] of batch.units) {
      if (unit) this.#units.set(key, unit);
      else this.#units.delete(key);
    }
  }
}

function isSameMap(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}
