// What the kernel holds for one unit, as far as this process knows.
import type { Extent } from './extents.ts';

export interface BackendIdentity {
  readonly id: number;
  readonly generation: number;
}

export interface ProgrammedList {
  readonly key: string; // listKey of its endpoints
  readonly extent: Extent;
}

export interface ProgrammedUnit {
  readonly serviceId: number;
  readonly frontends: ReadonlyMap<string, number>; // key text -> flags
  readonly affinitySeconds: number;
  readonly generation: number;
  readonly cluster: ProgrammedList;
  readonly local: ProgrammedList;
  readonly lingering: ProgrammedList;
  readonly backends: ReadonlyMap<string, BackendIdentity>; // endpointKey -> identity
}

export const EMPTY_LIST: ProgrammedList = { key: '', extent: { base: 0, count: 0 } };
