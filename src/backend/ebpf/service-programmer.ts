// Units -> rows, in an order in which a reader never sees a hole.

import { addressOctets } from '../../datapath/address.ts';
import { AddressFlag, BackendFlag, BackendList, type Frontend, FrontendFlag } from '../../datapath/layout.gen.ts';
import { reasonOf, TurnoutError } from '../../errors.ts';
import type { Changes, DesiredState, Endpoint, ServicePort } from '../../state/model.ts';
import type { SyncReport } from '../backend.ts';
import type { ServiceAddressFlag } from './address-table.ts';
import { type Extent, ExtentAllocator } from './extents.ts';
import { IdAllocator } from './ids.ts';
import {
  type BackendIdentity,
  EMPTY_LIST,
  frontendOf,
  LISTS,
  type ListName,
  type Programmed,
  type ProgrammedList,
  type ProgrammedUnit,
} from './programmed-unit.ts';
import type { ProgrammerTables } from './programmer-tables.ts';
import { restoreUnits } from './restore.ts';
import { allowedSources, endpointKey, frontendRowsOf, listKey } from './rows.ts';
import { frontendKeyBytes, keyText, type ServiceTables } from './service-tables.ts';

/** How long rows and ids stay untouched after their last reader could have found them. Programs run for microseconds. */
const GRACE_MS = 1000;
/** A frontend's key begins with its address. */
const ADDRESS_OCTETS = 16;
/** Owner of a row that a former process left and that belongs to no unit. */
const ORPHAN = '';

export interface ProgrammerOptions {
  /** At most one each family; decides whether the node may use load-balancer IPs with source ranges. Default: none known. */
  readonly nodeIPs?: () => readonly string[];
  readonly now?: () => number; // milliseconds
  /** Hears, once readers know, of which protocols endpoints have left. Must not throw. */
  readonly onLeft?: (protocols: ReadonlySet<string>) => void;
}

/** What one sync is about to do. Backend rows are written at once: nobody reads them before their frontends are published. */
interface Batch {
  readonly published: Map<string, { owner: string; frontend: Frontend }>; // by frontend key
  added: number; // rows of `published` that are not there yet
  readonly withdrawn: Map<string, string>; // frontend key -> its owner
  readonly left: BackendIdentity[]; // endpoints that are gone
  readonly leftProtocols: Set<string>; // of their units
  readonly released: Extent[];
  readonly units: Map<string, ProgrammedUnit | null>; // what will be programmed; null: nothing
  readonly releasedServiceIds: number[];
  readonly sourceRanges: Map<number, readonly string[]>; // by service id: who is let in from now on
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
  readonly #addresses: ProgrammerTables['addresses'];
  readonly #sourceRanges: ProgrammerTables['sourceRanges'];
  readonly #nodeIPs: () => readonly string[];
  readonly #onLeft: (protocols: ReadonlySet<string>) => void;
  readonly #extents: ExtentAllocator;
  readonly #serviceIds: IdAllocator;
  readonly #backendIds: IdAllocator;
  readonly #owners = new Map<string, string>(); // frontend key -> key of the unit that published its row; ORPHAN: nobody's
  readonly #unsettled: { keys: readonly string[]; taken: readonly Taken[] }[] = []; // publications that failed half-way
  #units: Map<string, ProgrammedUnit>;
  #own: ReadonlyMap<string, ServicePort> = new Map();

  constructor({ services: tables, addresses, sourceRanges }: ProgrammerTables, options: ProgrammerOptions = {}) {
    const { now = () => performance.now(), nodeIPs = () => [], onLeft = () => {} } = options;
    this.#tables = tables;
    this.#addresses = addresses;
    this.#sourceRanges = sourceRanges;
    this.#nodeIPs = nodeIPs;
    this.#onLeft = onLeft;
    this.#extents = new ExtentAllocator(tables.backendRows, GRACE_MS, now);
    this.#serviceIds = new IdAllocator(tables.serviceIds, GRACE_MS, now);
    this.#backendIds = new IdAllocator(tables.backendRows, GRACE_MS, now);
    const { units, orphans } = restoreUnits(tables);
    this.#units = units;
    for (const { key } of orphans) this.#owners.set(key, ORPHAN);
    for (const [unitKey, unit] of units) {
      for (const key of unit.frontends.keys()) this.#owners.set(key, unitKey);
      for (const [address, flag] of addressesOf(unit)) this.#addresses.add(address, flag);
    }
    const programmed = [...units.values()];
    // Orphans keep theirs until the next start: rare, and their lists may be those of units.
    const left = orphans.map(({ frontend }) => frontend);
    const extents = [
      ...programmed.flatMap(({ cluster, local, lingering }) => [cluster.extent, local.extent, lingering.extent]),
      ...left
        .flatMap(({ cluster, local, lingering }) => [cluster, local, lingering])
        .filter(({ base, count }) => base + count <= tables.backendRows),
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

  /** What the kernel holds, as it changes. Owners by frontend key; an owner that is no unit is nobody. */
  get programmed(): Programmed {
    return { units: this.#units, owners: this.#owners };
  }

  /** Units of ours that no Service stands for; written with the next full comparison, and not counted in its report. */
  setOwnUnits(units: readonly ServicePort[]): void {
    this.#own = new Map(units.map((unit) => [unit.key, unit]));
  }

  /** Takes units of ours out: when their listeners go, their addresses and ports may become somebody's. */
  withdrawOwn(units: readonly ServicePort[]): void {
    const nothing = { servicePorts: new Map(), healthChecks: new Map(), serviceCIDRs: [], node: null };
    this.sync(nothing, { full: false, upserted: new Set(), removed: new Set(units.map(({ key }) => key)) });
  }

  sync(desired: DesiredState, changes: Changes): SyncReport {
    this.#settle();
    const own = this.#own;
    const upserted = changes.full ? [...own.keys(), ...desired.servicePorts.keys()] : changes.upserted;
    const isGone = (key: string): boolean => !desired.servicePorts.has(key) && !own.has(key);
    const removed = changes.full ? [...this.#units.keys()].filter(isGone) : changes.removed;
    const batch: Batch = {
      ...{ published: new Map(), added: 0, withdrawn: new Map() },
      ...{ left: [], leftProtocols: new Set(), released: [], units: new Map(), releasedServiceIds: [], sourceRanges: new Map() },
    };
    const failures: { key: string; message: string }[] = [];
    const allTaken: Taken[] = [];
    if (changes.full) for (const [key, owner] of this.#owners) if (owner === ORPHAN) batch.withdrawn.set(key, owner);
    for (const key of removed) this.#remove(key, batch);
    for (const key of upserted) {
      const unit = desired.servicePorts.get(key) ?? own.get(key);
      const taken: Taken = { extents: [], backendIds: [], serviceIds: [] };
      try {
        if (unit) this.#write(unit, batch, taken);
        allTaken.push(taken);
      } catch (error) {
        this.#giveBack(taken);
        failures.push({ key, message: reasonOf(error) });
      }
    }
    this.#publish(batch, allTaken);
    this.#commit(batch);
    if (changes.full) this.#sourceRanges.keepOnly(new Set([...this.#units.values()].map(({ serviceId }) => serviceId)));
    const units = [...batch.units].filter(([key]) => !own.has(key));
    const written = units.filter(([, unit]) => unit !== null).length;
    return { servicePortsWritten: written, servicePortsRemoved: units.length - written, failures };
  }

  #remove(key: string, batch: Batch): void {
    const unit = this.#units.get(key);
    if (!unit) return;
    for (const frontend of unit.frontends.keys()) batch.withdrawn.set(frontend, key);
    batch.left.push(...unit.backends.values());
    if (unit.backends.size > 0) batch.leftProtocols.add(key.split('/').at(-2) ?? '');
    batch.released.push(unit.cluster.extent, unit.local.extent, unit.lingering.extent);
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
    const endpoints = {
      cluster: unit.clusterEndpoints,
      local: usesLocal ? unit.localEndpoints : [],
      lingering: unit.lingeringEndpoints,
    };
    const keys = {
      cluster: listKey(endpoints.cluster),
      local: listKey(endpoints.local),
      lingering: listKey(endpoints.lingering),
    };
    const sources = allowedSources(unit, this.#nodeIPs());
    const isListKept = LISTS.every((list) => before?.[list].key === keys[list]);
    const isKept =
      isListKept &&
      before?.affinitySeconds === unit.sessionAffinitySeconds &&
      isSameMap(before.frontends, frontends) &&
      this.#sourceRanges.isExactly(before.serviceId, sources);
    // Another unit may have taken a frontend while this one could not be written.
    if (isKept && [...frontends.keys()].every((key) => this.#owners.get(key) === unit.key)) return;

    const added = this.#newRows(frontends, batch);
    const serviceId = before?.serviceId ?? this.#newServiceId(unit, taken);
    const { backends, left } = this.#identities([...LISTS.flatMap((list) => endpoints[list])], before, taken);
    const keep = { serviceId, backends };
    const list = (name: ListName): ProgrammedList => this.#list(endpoints[name], keys[name], before?.[name], keep, taken);
    const lists = { cluster: list('cluster'), local: list('local'), lingering: list('lingering') };
    if (before) for (const name of LISTS) if (before[name] !== lists[name]) batch.released.push(before[name].extent);
    this.#sourceRanges.allow(serviceId, sources);
    const generation = ((before?.generation ?? 0) + 1) >>> 0;
    const affinitySeconds = unit.sessionAffinitySeconds;
    const extents = { cluster: lists.cluster.extent, local: lists.local.extent, lingering: lists.lingering.extent };
    for (const [key, flags] of frontends) {
      const frontend = { ...extents, serviceId, flags, affinitySeconds, generation };
      batch.published.set(key, { owner: unit.key, frontend });
    }
    for (const key of before?.frontends.keys() ?? []) if (!frontends.has(key)) batch.withdrawn.set(key, unit.key);
    batch.added += added;
    batch.left.push(...left);
    if (left.length > 0) batch.leftProtocols.add(unit.protocol);
    batch.sourceRanges.set(serviceId, sources);
    batch.units.set(unit.key, { serviceId, frontends, affinitySeconds, generation, ...lists, backends });
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
    const id = this.#backendIds.allocate();
    if (id === null) throw new TurnoutError('EBACKENDSFULL', 'no free backend id', { hint: 'raise --ebpf-backend-table-size' });
    taken.backendIds.push(id);
    this.#tables.zeroBackendStats(id);
    return { id, generation: this.#tables.generation(id) };
  }

  #newServiceId(unit: ServicePort, taken: Taken): number {
    const id = this.#serviceIds.allocate();
    if (id === null) throw new TurnoutError('ESERVICESFULL', 'no free service id', { hint: 'raise --ebpf-service-table-size' });
    taken.serviceIds.push(id);
    this.#tables.zeroServiceStats(id);
    this.#tables.name(id, { namespaceName: unit.namespace, name: unit.name, portName: unit.portName });
    return id;
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
      this.#sourceRanges.restrict(id, []);
      this.#tables.forgetName(id);
      this.#serviceIds.release(id);
    }
  }

  /** All rows or none: when the table refuses one, those before it lead where they led, and what the pass took is free again. */
  #publish(batch: Batch, taken: readonly Taken[]): void {
    try {
      this.#tables.publish([...batch.published].map(([key, { frontend }]) => ({ key, frontend })));
    } catch (error) {
      this.#unsettled.push({ keys: [...batch.published.keys()], taken });
      this.#settle();
      throw error;
    }
  }

  /** What a refused publication took may be read until its rows are as they were; until then it is not given out again. */
  #settle(): void {
    for (let failed = this.#unsettled[0]; failed; failed = this.#unsettled[0]) {
      const rows = failed.keys.map((key) => ({ key, frontend: frontendOf(this.programmed, key) }));
      try {
        this.#tables.withdraw(rows.filter(({ frontend }) => frontend === null).map(({ key }) => key));
        this.#tables.publish(rows.flatMap(({ key, frontend }) => (frontend ? [{ key, frontend }] : [])));
      } catch {
        return; // the next pass tries again; the failure that led here is told
      }
      this.#unsettled.shift();
      for (const taken of failed.taken) this.#giveBack(taken);
    }
  }

  /** What goes after the new lists are published: an address that moves from one unit to another has a row all the time. */
  #commit(batch: Batch): void {
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
    for (const [serviceId, sources] of batch.sourceRanges) this.#sourceRanges.restrict(serviceId, sources);
    for (const id of batch.releasedServiceIds) {
      this.#sourceRanges.restrict(id, []);
      this.#tables.forgetName(id);
      this.#serviceIds.release(id);
    }
    for (const [key, unit] of batch.units) this.#replace(key, unit);
    this.#addresses.flush();
    if (batch.leftProtocols.size > 0) this.#onLeft(batch.leftProtocols);
  }

  #replace(key: string, unit: ProgrammedUnit | null): void {
    const before = this.#units.get(key);
    if (unit) for (const [address, flag] of addressesOf(unit)) this.#addresses.add(address, flag);
    if (before) for (const [address, flag] of addressesOf(before)) this.#addresses.remove(address, flag);
    if (unit) this.#units.set(key, unit);
    else this.#units.delete(key);
    if (unit && unit.affinitySeconds > 0) this.#writeLists(unit);
  }

  /** Tells which lists have each endpoint, for affinity: a client's endpoint must be one that its packet may go to. */
  #writeLists({ backends, cluster, local }: ProgrammedUnit): void {
    const flags = new Map<number, number>();
    const add = ({ extent: { base, count } }: ProgrammedList, flag: number): void => {
      for (let row = base; row < base + count; row++) {
        const { backendId } = this.#tables.readBackend(row);
        flags.set(backendId, (flags.get(backendId) ?? 0) | flag);
      }
    };
    add(cluster, BackendList.LB_LIST_CLUSTER);
    add(local, BackendList.LB_LIST_LOCAL);
    for (const { id } of backends.values()) this.#tables.setLists(id, flags.get(id) ?? 0);
  }
}

/** Address octets of each frontend, as text, and what makes it a row of `addresses`. Node ports are on the node's own. */
function addressesOf({ frontends }: ProgrammedUnit): [string, ServiceAddressFlag][] {
  return [...frontends]
    .filter(([, flags]) => !(flags & FrontendFlag.LB_FRONTEND_NODE_PORT))
    .map(([key, flags]) => [
      key.slice(0, ADDRESS_OCTETS),
      flags & FrontendFlag.LB_FRONTEND_EXTERNAL ? AddressFlag.LB_ADDRESS_EXTERNAL : AddressFlag.LB_ADDRESS_CLUSTER_IP,
    ]);
}

function isSameMap(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}
