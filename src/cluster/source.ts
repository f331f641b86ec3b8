// Where objects come from. Two implementations: a folder of manifests, and (later) the API server.
import type { ClusterObject, ResourceKind } from '../state/model.ts';

export interface ObjectReference {
  readonly kind: ResourceKind;
  readonly namespace: string; // '' for Node and ServiceCIDR
  readonly name: string;
}

export interface SourceListener {
  upsert(object: ClusterObject): void;
  delete(reference: ObjectReference): void;
  /** The first full picture of this resource has been delivered. Called once for each kind. */
  synced(kind: ResourceKind): void;
  /** Something is wrong with one object or file; everything else goes on. One call for one fault, not one each look. */
  warn(warning: SourceWarning): void;
}

/** where: 'services.yaml:12:3' or 'services.yaml'; field: 'spec.ports[0].port' or ''. */
export interface SourceWarning {
  readonly where: string;
  readonly object: string; // 'Service default/web', '' when unknown
  readonly field: string;
  readonly message: string; // what is wrong and what stays in force
}

export interface Source {
  /** Runs until the signal aborts; resolves then. Rejects only when it can never work (folder missing at start is waited for). */
  run(listener: SourceListener, signal: AbortSignal): Promise<void>;
  /** Where a person finds this object: 'services.yaml:12:3', or '' when it is not known. */
  whereIs(reference: ObjectReference): string;
}
