// What the kernel holds for one unit, as far as this process knows.
import type { Frontend } from '../../datapath/layout.gen.ts';
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

export type ListName = 'cluster' | 'local' | 'lingering';
export const LISTS: readonly ListName[] = ['cluster', 'local', 'lingering'];

/** Everything that is programmed. */
export interface Programmed {
  readonly units: ReadonlyMap<string, ProgrammedUnit>; // by unit key
  readonly owners: ReadonlyMap<string, string>; // frontend key text -> key of the unit whose row it is
}

/** The row of a frontend; null: no unit has it. */
export function frontendOf({ units, owners }: Programmed, key: string): Frontend | null {
  const unit = units.get(owners.get(key) ?? '');
  const flags = unit?.frontends.get(key);
  if (!unit || flags === undefined) return null;
  const { cluster, local, lingering, serviceId, affinitySeconds, generation } = unit;
  const lists = { cluster: cluster.extent, local: local.extent, lingering: lingering.extent };
  return { ...lists, serviceId, flags, affinitySeconds, generation };
}
