// Which object is in force when several files hold one: the first file by name. Tells the listener what changed.
import type { ClusterObject } from '../state/model.ts';
import { describeReference } from './read-object.ts';
import type { ObjectReference, SourceListener } from './source.ts';

/** An object in a file; null: valid, but nothing for a proxy. */
export interface HeldObject {
  readonly reference: ObjectReference;
  readonly object: ClusterObject | null;
  readonly where: string;
}

export const referenceKey = ({ kind, namespace, name }: ObjectReference): string => `${kind} ${namespace}/${name}`;

/** Invariant: the listener has been told exactly the objects in `#inForce`. Cost of a change: the objects of that file. */
export class ManifestObjects {
  readonly #listener: SourceListener;
  readonly #files = new Map<string, Map<string, HeldObject>>(); // file -> reference key -> object
  readonly #holders = new Map<string, Set<string>>(); // reference key -> files
  readonly #inForce = new Map<string, HeldObject>();

  constructor(listener: SourceListener) {
    this.#listener = listener;
  }

  /** What this file held last. */
  of(file: string): ReadonlyMap<string, HeldObject> {
    return this.#files.get(file) ?? new Map();
  }

  /** 'services.yaml:12:3' of the object in force, or ''. */
  whereIs(reference: ObjectReference): string {
    return this.#inForce.get(referenceKey(reference))?.where ?? '';
  }

  /** Replaces what a file holds; an empty map removes the file. */
  replace(file: string, objects: Map<string, HeldObject>): void {
    const before = this.#files.get(file) ?? new Map<string, HeldObject>();
    if (objects.size > 0) this.#files.set(file, objects);
    else this.#files.delete(file);
    for (const key of objects.keys()) {
      const holders = this.#holders.get(key) ?? new Set();
      this.#holders.set(key, holders.add(file));
    }
    for (const key of before.keys()) {
      if (!objects.has(key)) this.#holders.get(key)?.delete(file);
    }
    for (const key of new Set([...before.keys(), ...objects.keys()])) this.#settle(key, !before.has(key));
  }

  #settle(key: string, isNewHere: boolean): void {
    const holders = [...(this.#holders.get(key) ?? [])].sort();
    const winner = holders[0] === undefined ? undefined : this.#files.get(holders[0])?.get(key);
    if (holders.length > 1 && isNewHere && winner) {
      this.#listener.warn({
        where: this.#files.get(holders[1] ?? '')?.get(key)?.where ?? '',
        object: describeReference(winner.reference),
        field: '',
        message: `is also in ${winner.where}, which is in force because its file name comes first`,
      });
    }
    const current = this.#inForce.get(key);
    if (!winner) {
      this.#holders.delete(key);
      this.#inForce.delete(key);
      if (current?.object) this.#listener.delete(current.reference);
      return;
    }
    this.#inForce.set(key, winner);
    if (winner.object) {
      if (winner.object !== current?.object) this.#listener.upsert(winner.object);
    } else if (current?.object) {
      this.#listener.delete(current.reference);
    }
  }
}
