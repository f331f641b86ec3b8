// The configuration of the programs that are in force, read from the kernel: what flags said when they were loaded, not what they say now.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { u32Bytes, viewOf } from '../../../datapath/bytes.ts';
import { objectPath } from '../../../datapath/object-file.ts';
import { TurnoutError } from '../../../errors.ts';
import type { BtfType, ObjectDescription } from '../../../native/addon.ts';
import { BpfLink } from '../../../native/bpf-link.ts';
import { BpfMap } from '../../../native/bpf-map.ts';
import { BpfObject } from '../../../native/bpf-object.ts';
import { BpfProgram } from '../../../native/bpf-program.ts';
import { clsactDevices, clsactProgramId } from '../hooks.ts';
import { type PinFolder, pinNames } from '../pins.ts';

export interface RunningPrograms {
  /** Octets of each configuration variable (cfg_...), as the loaded programs have them. */
  readonly variables: ReadonlyMap<string, Uint8Array>;
  /** By program name: stands for its instructions. Those that are attached somewhere. */
  readonly tags: ReadonlyMap<string, string>;
  /** Whether programs are attached to a cgroup: without them no socket is translated. */
  readonly hasSocketPrograms: boolean;
}

/** Throws TurnoutError ENOPROGRAM when nothing is attached, ELAYOUT when it has other variables than this turnout knows. */
export function readRunningPrograms(folder: PinFolder): RunningPrograms {
  const programs = attachedPrograms(folder);
  try {
    const [any] = programs;
    if (!any) {
      throw new TurnoutError('ENOPROGRAM', 'no program of turnout is attached on this node, so no packet is translated', {
        hint: 'start turnout; `turnout status` tells what is there',
      });
    }
    return {
      variables: variablesOf(any, BpfObject.describe(objectPath())),
      tags: new Map(programs.map(({ name, tag }) => [name, tag])),
      hasSocketPrograms: existsSync(join(folder.links, 'cgroup_connect4')),
    };
  } finally {
    for (const program of programs) program.close();
  }
}

/** Each program of pinned links once; where the kernel has no tcx, of our filters. */
function attachedPrograms(folder: PinFolder): BpfProgram[] {
  const ids = new Set<number>();
  for (const pin of pinNames(folder.links)) {
    const link = BpfLink.openPinned(join(folder.links, pin));
    ids.add(link.info().programId);
    link.close();
  }
  for (const [ifindex, directions] of clsactDevices()) {
    for (const direction of directions) ids.add(clsactProgramId(ifindex, direction));
  }
  ids.delete(0);
  return [...ids].map((id) => BpfProgram.openById(id));
}

function variablesOf(program: BpfProgram, description: ObjectDescription): Map<string, Uint8Array> {
  const rodata = readRodata(program);
  const variables = new Map<string, Uint8Array>();
  for (const { name, section, offset, type } of description.variables) {
    if (section !== '.rodata' || !name.startsWith('cfg_')) continue;
    const size = sizeOf(type);
    if (offset + size > rodata.length) throw otherVersion();
    variables.set(name, rodata.slice(offset, offset + size));
  }
  return variables;
}

function readRodata(program: BpfProgram): Uint8Array {
  for (const id of program.mapIds()) {
    const map = BpfMap.openById(id);
    try {
      if (map.name.endsWith('.rodata')) return map.get(u32Bytes(0)) ?? new Uint8Array();
    } finally {
      map.close();
    }
  }
  throw otherVersion();
}

export const otherVersion = (): TurnoutError =>
  new TurnoutError('ELAYOUT', 'the programs in force come from another version of turnout', {
    hint: 'use the version of turnout that loaded them, or start this one, which takes over',
  });

export const sizeOf = (type: BtfType): number => (type.kind === 'typedef' ? sizeOf(type.type) : type.size);

/** A variable of up to four octets as a number. */
export function numberOf(variables: ReadonlyMap<string, Uint8Array>, name: string): number {
  const bytes = variables.get(name) ?? new Uint8Array(4);
  const padded = new Uint8Array(4);
  padded.set(bytes.subarray(0, 4));
  return viewOf(padded).getUint32(0, true);
}
