// The pinned tables in force, opened to look at: with and without a running process. Refuses tables that another turnout laid out.
import { join } from 'node:path';
import { firstDifference, mapLines } from '../../datapath/description.ts';
import { LAYOUT } from '../../datapath/layout.gen.ts';
import type { MapName } from '../../datapath/object-file.ts';
import { TurnoutError } from '../../errors.ts';
import { BpfMap } from '../../native/bpf-map.ts';
import { findBpffs, type PinFolder, pinFolders, pinNames } from './pins.ts';

/** The folder in force: the one with links; during a migration the other is about to go. */
export function folderInForce(bpffsRoot: string): PinFolder | null {
  const bpffs = findBpffs(bpffsRoot);
  if (bpffs === null) return null;
  const folders = pinFolders(bpffs);
  return folders.find(({ links }) => pinNames(links).length > 0) ?? folders[0] ?? null;
}

/** folderInForce(), for commands that have nothing to say without one. */
export function requireFolder(bpffsRoot: string): PinFolder {
  const folder = folderInForce(bpffsRoot);
  if (folder !== null) return folder;
  throw new TurnoutError('ENODATAPATH', 'no datapath of turnout is installed on this node', {
    hint: '`turnout status` tells more; give --ebpf-bpffs-root when the proxy was given it, and run in its network namespace',
  });
}

/** The maps of an object, or of pins. */
export interface Tables {
  map(name: MapName): BpfMap;
}

export interface PinnedTables extends Tables {
  close(): void;
}

/** Throws ELAYOUT when a table is not what this turnout's codecs read, ENODATAPATH when it is gone. */
export function openTables(folder: PinFolder, names: readonly MapName[]): PinnedTables {
  const maps = new Map<MapName, BpfMap>();
  const close = (): void => {
    for (const map of maps.values()) map.close();
  };
  try {
    for (const name of names) maps.set(name, openTable(folder, name));
  } catch (error) {
    close();
    throw error;
  }
  return {
    map: (name) => {
      const map = maps.get(name);
      if (!map) throw new Error(`${name} was not opened`);
      return map;
    },
    close,
  };
}

export function withTables<T>(folder: PinFolder, names: readonly MapName[], use: (tables: PinnedTables) => T): T {
  const tables = openTables(folder, names);
  try {
    return use(tables);
  } finally {
    tables.close();
  }
}

function openTable(folder: PinFolder, name: MapName): BpfMap {
  let map: BpfMap;
  try {
    map = BpfMap.openPinned(join(folder.maps, name));
  } catch (error) {
    if ((error as { code?: string }).code !== 'ENOENT') throw error;
    throw new TurnoutError('ENODATAPATH', `the table ${name} is not there: ${folder.maps}`, {
      hint: 'the datapath was installed by another version of turnout, or it is being replaced: try again, or use that version',
    });
  }
  const expected = LAYOUT.filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}.`));
  const difference = firstDifference(expected, mapLines({ ...map.describe(), name })); // the kernel cuts names at 15 characters;
  if (difference === null) return map;
  map.close();
  throw new TurnoutError('ELAYOUT', `the pinned tables do not fit this turnout: ${difference}`, {
    hint: 'use the version of turnout that installed them, or start this one, which takes them over',
  });
}
