// The objects of one resource as the listener knows them: what a list or an event changes is told, nothing else.
import type { ApiResource } from './api-resource.ts';
import type { Fault } from './object-reader.ts';
import { describeReference, type ReadResult } from './read-object.ts';
import type { ObjectReference, SourceListener } from './source.ts';

interface Known {
  readonly references: readonly ObjectReference[]; // delivered for this API object
  readonly faults: string; // reported ones, so that each is reported once
}

function faultsOf(result: ReadResult): readonly Fault[] {
  if (result.kind === 'faulty') return result.faults;
  return result.kind === 'object' ? result.omissions : [];
}

const nameOf = (value: object): string => {
  const { namespace = '', name = '' } = (value as { metadata?: { namespace?: string; name?: string } }).metadata ?? {};
  return `${namespace}/${name}`;
};
const keyOf = ({ namespace, name }: ObjectReference): string => `${namespace}/${name}`;

/** Invariant: the listener has been told exactly the references in `#known`, each with its last good version. */
export class ApiMirror {
  readonly #listener: SourceListener;
  readonly #known = new Map<string, Known>(); // by the API object's namespace/name

  constructor(listener: SourceListener) {
    this.#listener = listener;
  }

  /** A complete list: what is not in it is gone. */
  replace(resource: ApiResource, items: readonly object[]): void {
    const gone = new Set(this.#known.keys());
    for (const item of items) {
      gone.delete(nameOf(item));
      this.upsert(resource, item);
    }
    for (const key of gone) this.#forget(key);
  }

  upsert(resource: ApiResource, item: object): void {
    const key = nameOf(item);
    const before = this.#known.get(key);
    const results = resource.read(item);
    const faults = results.flatMap(faultsOf);
    const text = faults.map(({ field, message }) => `${field} ${message}`).join('; ');
    if (text !== '' && text !== before?.faults) this.#warn(results, before !== undefined);
    const references: ObjectReference[] = [];
    for (const result of results) {
      if (result.kind === 'object') {
        this.#listener.upsert(result.object);
        references.push(result.reference);
      } else if (result.kind === 'faulty') {
        // Its last good version stays in force, if there was one.
        const { reference } = result;
        if (reference && before?.references.some((one) => keyOf(one) === keyOf(reference))) references.push(reference);
      }
    }
    const kept = new Set(references.map(keyOf));
    for (const reference of before?.references ?? []) if (!kept.has(keyOf(reference))) this.#listener.delete(reference);
    this.#known.set(key, { references, faults: text });
  }

  delete(item: object): void {
    this.#forget(nameOf(item));
  }

  #forget(key: string): void {
    for (const reference of this.#known.get(key)?.references ?? []) this.#listener.delete(reference);
    this.#known.delete(key);
  }

  #warn(results: readonly ReadResult[], isKnown: boolean): void {
    const stays = isKnown ? 'its last good version stays in force' : 'it is left out';
    for (const result of results) {
      const object = describeReference(result.reference);
      for (const { field, message } of faultsOf(result)) {
        const text = result.kind === 'faulty' ? `${message}; ${stays}` : message;
        this.#listener.warn({ where: 'API server', object, field, message: text });
      }
    }
  }
}
