// Objects in, units out. Pure and incremental.
import { endpointLists, mergeEndpoints } from './endpoints.ts';
import { FrontendClaims } from './frontend-claims.ts';
import type { Changes, ClusterObject, DesiredState, EndpointSlice, Node, ResourceKind, Service, ServicePort } from './model.ts';
import { HEADLESS_LABEL, servicePortsOf } from './service-ports.ts';

/** Two units want one address and port: the one that came first has it, the other waits for it to go. */
export interface Conflict {
  readonly frontend: string; // '10.96.0.10 53/UDP' or 'nodePort 30053/UDP/IPv4'
  readonly holder: string; // 'namespace/name' of the Service in force
  readonly waiting: string;
}

/**
 * Invariants:
 * - A unit depends on its Service and on that Service's slices only, so a changed slice costs what its Service costs.
 * - `servicePorts` values are never changed in place; a unit whose content is equal is the same value.
 * - A key is in `upserted` or in `removed` since the last takeChanges(), never in both.
 */
export class ClusterState {
  readonly #nodeName: string;
  readonly #services = new Map<string, Service>(); // by namespace/name
  readonly #slices = new Map<string, Map<string, EndpointSlice>>(); // by namespace/service, then slice name
  readonly #sliceOwners = new Map<string, string>(); // namespace/slice -> namespace/service
  readonly #nodes = new Map<string, Node>();
  readonly #serviceCIDRs = new Map<string, readonly string[]>();
  readonly #units = new Map<string, ServicePort>();
  readonly #unitsOf = new Map<string, string[]>(); // namespace/name -> unit keys
  readonly #claims = new FrontendClaims();
  #upserted = new Set<string>();
  #removed = new Set<string>();
  #conflicts: Conflict[] = [];
  #full = true;

  constructor(nodeName: string) {
    this.#nodeName = nodeName;
  }

  /** Takes an object, new or changed. */
  upsert(object: ClusterObject): void {
    switch (object.kind) {
      case 'Service': {
        this.#services.set(`${object.namespace}/${object.name}`, object);
        this.#recompute(`${object.namespace}/${object.name}`);
        break;
      }
      case 'EndpointSlice':
        this.#upsertSlice(object);
        break;
      case 'Node':
        this.#nodes.set(object.name, object);
        if (object.name === this.#nodeName) this.#full = true;
        break;
      case 'ServiceCIDR':
        this.#serviceCIDRs.set(object.name, object.cidrs);
        this.#full = true;
        break;
    }
  }

  /** Forgets an object; one that is not known is no change. */
  delete(kind: ResourceKind, namespace: string, name: string): void {
    const key = `${namespace}/${name}`;
    switch (kind) {
      case 'Service':
        if (this.#services.delete(key)) this.#recompute(key);
        break;
      case 'EndpointSlice': {
        this.#deleteSlice(key);
        break;
      }
      case 'Node':
        if (this.#nodes.delete(name) && name === this.#nodeName) this.#full = true;
        break;
      case 'ServiceCIDR':
        if (this.#serviceCIDRs.delete(name)) this.#full = true;
        break;
    }
  }

  /** The live picture; values are immutable, the map is not. */
  desired(): DesiredState {
    return {
      servicePorts: this.#units,
      serviceCIDRs: [...this.#serviceCIDRs.values()].flat(),
      node: this.#nodes.get(this.#nodeName) ?? null,
    };
  }

  /** True when takeChanges() would tell something. */
  get hasChanges(): boolean {
    return this.#full || this.#upserted.size > 0 || this.#removed.size > 0;
  }

  /** What changed since the last call, and forgets it. The first call asks for everything. */
  takeChanges(): Changes {
    const changes = { full: this.#full, upserted: this.#upserted, removed: this.#removed };
    this.#full = false;
    this.#upserted = new Set();
    this.#removed = new Set();
    return changes;
  }

  /** Gives changes back that could not be applied; newer ones win. */
  restoreChanges(changes: Changes): void {
    this.#full ||= changes.full;
    for (const key of [...changes.upserted, ...changes.removed]) this.#mark(key);
  }

  /** Conflicts found since the last call. */
  takeConflicts(): Conflict[] {
    const conflicts = this.#conflicts;
    this.#conflicts = [];
    return conflicts;
  }

  #upsertSlice(slice: EndpointSlice): void {
    const key = `${slice.namespace}/${slice.name}`;
    const owner = `${slice.namespace}/${slice.serviceName}`;
    const before = this.#sliceOwners.get(key);
    if (slice.serviceName === '' || HEADLESS_LABEL in slice.labels) {
      this.#deleteSlice(key);
      return;
    }
    if (before !== undefined && before !== owner) this.#deleteSlice(key);
    this.#sliceOwners.set(key, owner);
    let slices = this.#slices.get(owner);
    if (!slices) this.#slices.set(owner, (slices = new Map()));
    slices.set(slice.name, slice);
    this.#recompute(owner);
  }

  #deleteSlice(key: string): void {
    const owner = this.#sliceOwners.get(key);
    if (owner === undefined) return;
    this.#sliceOwners.delete(key);
    const slices = this.#slices.get(owner);
    slices?.delete(key.slice(key.indexOf('/') + 1));
    if (slices?.size === 0) this.#slices.delete(owner);
    this.#recompute(owner);
  }

  /** Brings one Service's units up to date, and those of Services that waited for an address it held. */
  #recompute(serviceKey: string): void {
    const waiting = new Set<string>([serviceKey]);
    for (const key of waiting) for (const freed of this.#recomputeOne(key)) waiting.add(freed);
  }

  /** Returns the Services that may now take a frontend this one gave up. */
  #recomputeOne(serviceKey: string): Iterable<string> {
    const service = this.#services.get(serviceKey);
    const { granted, conflicts, freed } = this.#claims.update(serviceKey, service ? servicePortsOf(service) : []);
    this.#conflicts.push(...conflicts);
    // Slices by name, not by arrival: the same objects give the same units in whatever order they came.
    const slices = [...(this.#slices.get(serviceKey)?.values() ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1));
    const keys: string[] = [];
    for (const bare of granted) {
      keys.push(bare.key);
      const unit = { ...bare, ...endpointLists(mergeEndpoints(slices, { ...bare, nodeName: this.#nodeName })) };
      if (isEqual(unit, this.#units.get(bare.key))) continue;
      this.#units.set(bare.key, unit);
      this.#mark(bare.key);
    }
    const kept = new Set(keys);
    for (const key of this.#unitsOf.get(serviceKey) ?? []) {
      if (kept.has(key) || !this.#units.delete(key)) continue;
      this.#mark(key);
    }
    if (keys.length > 0) this.#unitsOf.set(serviceKey, keys);
    else this.#unitsOf.delete(serviceKey);
    return freed;
  }

  #mark(key: string): void {
    const isThere = this.#units.has(key);
    (isThere ? this.#upserted : this.#removed).add(key);
    (isThere ? this.#removed : this.#upserted).delete(key);
  }
}

/** Deep equality of plain values. */
function isEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const aKeys = Object.keys(a);
  if (aKeys.length !== Object.keys(b).length) return false;
  return aKeys.every((key) => isEqual((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]));
}
