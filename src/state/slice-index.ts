// EndpointSlices by the Service they belong to.
import { isEqual } from './equality.ts';
import type { EndpointSlice } from './model.ts';
import { HEADLESS_LABEL } from './service-ports.ts';

/** Whether a slice belongs to a Service at all: kube-proxy leaves those of headless Services alone. */
export function isTied(slice: EndpointSlice): boolean {
  return slice.serviceName !== '' && !(HEADLESS_LABEL in slice.labels);
}

const NO_SERVICES: readonly string[] = [];

/** Invariant: a slice is with one Service at most, the one its label names now. */
export class SliceIndex {
  readonly #byService = new Map<string, Map<string, EndpointSlice>>(); // namespace/service, then slice name
  readonly #owners = new Map<string, string>(); // namespace/slice -> namespace/service

  /** Returns the Services (namespace/name) whose slices changed. */
  upsert(slice: EndpointSlice): readonly string[] {
    if (!isTied(slice)) return this.delete(slice.namespace, slice.name);
    const owner = `${slice.namespace}/${slice.serviceName}`;
    const key = `${slice.namespace}/${slice.name}`;
    const ownerBefore = this.#owners.get(key);
    const changed =
      ownerBefore === undefined || ownerBefore === owner ? [owner] : [...this.delete(slice.namespace, slice.name), owner];
    const slices = this.#byService.get(owner) ?? new Map<string, EndpointSlice>();
    if (isEqual(slice, slices.get(slice.name))) return NO_SERVICES;
    this.#byService.set(owner, slices.set(slice.name, slice));
    this.#owners.set(key, owner);
    return changed;
  }

  delete(namespace: string, name: string): readonly string[] {
    const key = `${namespace}/${name}`;
    const owner = this.#owners.get(key);
    if (owner === undefined) return NO_SERVICES;
    this.#owners.delete(key);
    const slices = this.#byService.get(owner);
    slices?.delete(name);
    if (slices?.size === 0) this.#byService.delete(owner);
    return [owner];
  }

  /** By name, not by arrival: the same objects give the same units in whatever order they came. */
  of(serviceKey: string): EndpointSlice[] {
    return [...(this.#byService.get(serviceKey)?.values() ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}
