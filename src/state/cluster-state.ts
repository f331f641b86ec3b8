// Objects in, units out. Pure and incremental.
import { EndpointChanges } from './endpoint-changes.ts';
import { type EndpointFact, endpointFacts } from './endpoint-facts.ts';
import { endpointLists, type PortKey } from './endpoints.ts';
import { isEqual } from './equality.ts';
import { FrontendClaims } from './frontend-claims.ts';
import { healthCheckOf } from './health-checks.ts';
import type { Changes, ClusterObject, DesiredState, HealthCheck, Node, ResourceKind, Service, ServicePort } from './model.ts';
import { type BareServicePort, frontendField, serviceKeyOf, servicePortsOf } from './service-ports.ts';
import { isTied, SliceIndex } from './slice-index.ts';
import { type NodePlace, ZONE_LABEL } from './topology.ts';
import { TrackedMap } from './tracked-map.ts';

/** Two Services want one address and port: the one that came first has it, the other waits for it to go. */
export interface Conflict {
  readonly frontend: string; // '10.96.0.10 53/UDP' or 'nodePort 30053/UDP/IPv4'
  readonly holder: string; // 'namespace/name' of the Service in force
  readonly waiting: string;
  readonly field: string; // of the waiting Service: 'spec.clusterIP', 'spec.ports[0].nodePort'
  readonly message: string; // what is in force and what is not
}

/**
 * Invariants:
 * - A unit depends on its Service and on that Service's slices only, so a changed slice costs what its Service costs.
 * - `servicePorts` values are never changed in place; a unit whose content is equal stays the same value.
 * - A key is in `upserted` or in `removed` since the last takeChanges(), never in both; a unit that is again what it was
 *   at the last takeChanges() is in neither.
 * - Frontends are claimed in order of arrival, at once; endpoint lists are made when somebody looks, so that a burst of
 *   slices costs their Service once.
 */
export class ClusterState {
  readonly #nodeName: string;
  readonly #services = new Map<string, Service>(); // by namespace/name
  readonly #slices = new SliceIndex();
  readonly #nodes = new Map<string, Node>();
  readonly #serviceCIDRs = new Map<string, readonly string[]>();
  readonly #claims = new FrontendClaims();
  readonly #granted = new Map<string, readonly BareServicePort[]>(); // namespace/name -> units it may have
  readonly #units = new TrackedMap<ServicePort>();
  readonly #healthChecks = new TrackedMap<HealthCheck>(); // by namespace/name
  readonly #endpointChanges: EndpointChanges;
  readonly #dirty = new Set<string>(); // Services whose units may be out of date
  #conflicts: Conflict[] = [];
  #full = true;

  /** nodeName: this node, as `nodeName` of endpoints spells it. startedAtMs: changes triggered before it have no latency. */
  constructor(nodeName: string, options: { readonly startedAtMs?: number } = {}) {
    this.#nodeName = nodeName;
    this.#endpointChanges = new EndpointChanges(options.startedAtMs ?? 0);
  }

  /** Takes an object, new or changed; one with equal content is no change. */
  upsert(object: ClusterObject): void {
    switch (object.kind) {
      case 'Service': {
        const key = `${object.namespace}/${object.name}`;
        if (isEqual(object, this.#services.get(key))) break;
        this.#services.set(key, object);
        this.#claim(key);
        break;
      }
      case 'EndpointSlice':
        for (const serviceKey of this.#slices.upsert(object)) {
          this.#dirty.add(serviceKey);
          const isThere = isTied(object) && serviceKey === `${object.namespace}/${object.serviceName}`;
          if (isThere) this.#endpointChanges.changed(serviceKey, object.lastChangeTriggerMs);
          else this.#endpointChanges.removed(serviceKey);
        }
        break;
      case 'Node':
        this.#setNode(object.name, object);
        break;
      case 'ServiceCIDR':
        if (isEqual(object.cidrs, this.#serviceCIDRs.get(object.name))) break;
        this.#serviceCIDRs.set(object.name, object.cidrs);
        this.#full = true;
        break;
    }
  }

  /** Forgets an object; one that is not known is no change. namespace: '' for Node and ServiceCIDR. */
  delete(kind: ResourceKind, namespace: string, name: string): void {
    switch (kind) {
      case 'Service':
        if (this.#services.delete(`${namespace}/${name}`)) this.#claim(`${namespace}/${name}`);
        break;
      case 'EndpointSlice':
        for (const serviceKey of this.#slices.delete(namespace, name)) {
          this.#dirty.add(serviceKey);
          this.#endpointChanges.removed(serviceKey);
        }
        break;
      case 'Node':
        this.#setNode(name, undefined);
        break;
      case 'ServiceCIDR':
        if (this.#serviceCIDRs.delete(name)) this.#full = true;
        break;
    }
  }

  /** The picture as of now. Values are immutable; the maps are live and move with the next look after an event. */
  desired(): DesiredState {
    this.#settle();
    return {
      servicePorts: this.#units.values,
      healthChecks: this.#healthChecks.values,
      serviceCIDRs: [...new Set([...this.#serviceCIDRs.values()].flat())].sort(),
      node: this.#nodes.get(this.#nodeName) ?? null,
    };
  }

  /** Every endpoint of a Service port, chosen or not. serviceKey: namespace/name. */
  endpointFacts(serviceKey: string, port: PortKey): EndpointFact[] {
    return endpointFacts(this.#slices.of(serviceKey), port, this.#nodeName);
  }

  /** True when takeChanges() would tell something. */
  get hasChanges(): boolean {
    this.#settle();
    return this.#full || this.#units.hasChanges || this.#healthChecks.hasChanges || this.#endpointChanges.size > 0;
  }

  /** How many Services have changes that nobody took: of their own, and of their endpoints. */
  get pending(): { readonly services: number; readonly endpoints: number } {
    this.#settle();
    const services = new Set([...this.#units.changedKeys()].map(serviceKeyOf));
    return { services: services.size, endpoints: this.#endpointChanges.size };
  }

  /** What changed since the last call, and forgets it. The first call asks for everything. */
  takeChanges(): Required<Changes> {
    this.#settle();
    const checks = this.#healthChecks.take();
    const changes = {
      full: this.#full,
      ...this.#units.take(),
      healthChecks: new Set([...checks.upserted, ...checks.removed]),
      endpoints: this.#endpointChanges.take(),
    };
    this.#full = false;
    return changes;
  }

  /** Gives changes back that could not be applied; what happened since is kept. */
  restoreChanges(changes: Changes): void {
    this.#settle();
    this.#full ||= changes.full;
    this.#units.giveBack(changes.upserted);
    this.#units.giveBack(changes.removed);
    if (changes.healthChecks) this.#healthChecks.giveBack(changes.healthChecks);
    if (changes.endpoints) this.#endpointChanges.giveBack(changes.endpoints);
  }

  /** Conflicts found since the last call, each told once. */
  takeConflicts(): Conflict[] {
    const conflicts = this.#conflicts;
    this.#conflicts = [];
    return conflicts;
  }

  #setNode(name: string, node: Node | undefined): void {
    const before = this.#nodes.get(name);
    if (isEqual(node, before)) return;
    const zoneBefore = this.#place().zone;
    if (node) this.#nodes.set(name, node);
    else this.#nodes.delete(name);
    if (name !== this.#nodeName) return;
    this.#full = true;
    if (this.#place().zone !== zoneBefore) for (const key of this.#granted.keys()) this.#dirty.add(key);
  }

  #place(): NodePlace {
    return { nodeName: this.#nodeName, zone: this.#nodes.get(this.#nodeName)?.labels[ZONE_LABEL] ?? '' };
  }

  /** Claims a Service's frontends anew, then those of the Services that waited for what it gave up. */
  #claim(changed: string): void {
    // A Set grows while it is walked. A Service that waited gives nothing up, so each is walked once.
    const queue = new Set([changed]);
    for (const serviceKey of queue) {
      const service = this.#services.get(serviceKey);
      const { granted, lost, freed } = this.#claims.update(serviceKey, service ? servicePortsOf(service) : []);
      for (const { frontend, holder, unit } of lost) {
        if (service) this.#conflicts.push(conflictOf(service, unit, frontend, holder));
      }
      // The old units are found by this list, so they go before it is replaced.
      const kept = new Set(granted.map((unit) => unit.key));
      for (const { key } of this.#granted.get(serviceKey) ?? []) {
        if (!kept.has(key)) this.#units.delete(key);
      }
      if (granted.length > 0) this.#granted.set(serviceKey, granted);
      else this.#granted.delete(serviceKey);
      this.#dirty.add(serviceKey);
      for (const waiting of freed) queue.add(waiting);
    }
  }

  #settle(): void {
    if (this.#dirty.size === 0) return;
    const place = this.#place();
    for (const serviceKey of this.#dirty) {
      const slices = this.#slices.of(serviceKey);
      const granted = this.#granted.get(serviceKey) ?? [];
      for (const bare of granted) this.#units.set(bare.key, { ...bare, ...endpointLists(slices, bare, place) });
      const service = this.#services.get(serviceKey);
      const check = service ? healthCheckOf(service, granted, slices, this.#nodeName) : null;
      if (check) this.#healthChecks.set(serviceKey, check);
      else this.#healthChecks.delete(serviceKey);
    }
    this.#dirty.clear();
  }
}

function conflictOf(service: Service, unit: BareServicePort, frontend: string, holder: string): Conflict {
  const waiting = `${service.namespace}/${service.name}`;
  const field = frontendField(service, unit, frontend);
  const loss = frontend.startsWith(`${unit.clusterIP} `)
    ? `port ${unit.port}/${unit.protocol} of ${waiting}`
    : `${frontend} for ${waiting}`;
  const message = `${frontend} belongs to Service ${holder} already, which stays in force; ${loss} is left out until that one gives it up`;
  return { frontend, holder, waiting, field, message };
}
