// The objects of a case, read as turnout reads them.
import { readObject } from '../../../src/cluster/read-object.ts';
import type { ClusterState } from '../../../src/state/cluster-state.ts';
import type { ClusterObject, EndpointSlice, ResourceKind } from '../../../src/state/model.ts';
import type { SliceIndex } from '../../../src/state/slice-index.ts';
import type { Json } from './table-file.ts';

/** Null: valid, but nothing for a proxy. Throws with the faults of an object that is refused. */
export function read(value: Json): ClusterObject | null {
  const result = readObject(value);
  if (result.kind === 'faulty') throw new Error(result.faults.map(({ field, message }) => `${field} ${message}`).join('; '));
  return result.kind === 'object' ? result.object : null;
}

export function readSlice(value: Json): EndpointSlice | null {
  const object = read(value);
  if (object && object.kind !== 'EndpointSlice') throw new Error(`is a ${object.kind}, not an EndpointSlice`);
  return object;
}

export interface Deletion {
  readonly kind: ResourceKind;
  readonly namespace?: string;
  readonly name: string;
}

/** An object of the case is added, changed or deleted. */
export function tell(state: ClusterState, changes: { readonly apply?: Json[]; readonly delete?: Deletion[] }): void {
  for (const value of changes.apply ?? []) {
    const object = read(value);
    if (object) state.upsert(object);
  }
  for (const { kind, namespace = '', name } of changes.delete ?? []) state.delete(kind, namespace, name);
}

/** One operation of a tracker's table: 'add', 'update', 'apply' or 'delete'; a deleted object may be a reference only. */
export interface Operation {
  readonly op: string;
  readonly object: Json;
}
const referenceOf = ({ kind, namespace, name, metadata }: Json): Deletion => ({
  kind,
  namespace: namespace ?? metadata?.namespace,
  name: name ?? metadata?.name,
});

export function operate(state: ClusterState, { op, object }: Operation): void {
  tell(state, op === 'delete' ? { delete: [referenceOf(object)] } : { apply: [object] });
}

/** The slices alone; true when it was a change. */
export function operateSlice(index: SliceIndex, { op, object }: Operation): boolean {
  const { namespace = '', name } = referenceOf(object);
  if (op === 'delete') return index.delete(namespace, name).length > 0;
  const slice = readSlice(object);
  return slice !== null && index.upsert(slice).length > 0;
}

/** The slices that operations tell of, in their order. */
export const slicesIn = (operations: readonly Operation[]): EndpointSlice[] =>
  operations.flatMap(({ op, object }) => (op === 'delete' ? [] : [readSlice(object) ?? []].flat()));
