// Finds and loads the eBPF object, and makes sure that it is the one the codecs were made from.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { TurnoutError } from '../errors.ts';
import { BpfMap } from '../native/bpf-map.ts';
import { BpfObject } from '../native/bpf-object.ts';
import { firstDifference, layoutLines } from './description.ts';
import { configVariables, type DatapathConfig, LAYOUT, MAPS } from './layout.gen.ts';

export type MapName = keyof typeof MAPS;
export const MAP_NAMES = Object.keys(MAPS) as MapName[];

const FILE = 'datapath.bpf.o';

/** Beside the bundle in a release, in build/ in a checkout. */
export function objectPath(): string {
  const candidates = [join(import.meta.dirname, FILE), join(import.meta.dirname, '../../build', FILE)];
  const found = candidates.find((path) => existsSync(path));
  if (found) return found;
  throw new TurnoutError('ENOOBJECT', `${FILE} is in none of: ${candidates.join(', ')}`, { hint: 'type: make build' });
}

export interface LoadOptions {
  readonly config: DatapathConfig;
  readonly sizes: Readonly<Record<string, number>>; // rows, by map name
  /** Folder of pinned maps: those that are there are used again, the others are made and pinned there. */
  readonly pinnedMaps: string;
}

/** The loaded object. Throws TurnoutError ELAYOUT when codecs and object differ, BpfError with the verifier's log in detail. */
export async function loadObject(path: string, options: LoadOptions): Promise<BpfObject> {
  const object = BpfObject.open(path);
  const reused: BpfMap[] = [];
  try {
    const difference = firstDifference(LAYOUT, layoutLines(object.describe().maps));
    if (difference !== null) {
      throw new TurnoutError('ELAYOUT', `${path} does not fit this turnout: ${difference}`, { hint: 'type: make build' });
    }
    for (const [name, bytes] of configVariables(options.config)) object.setVariable(name, bytes);
    for (const [name, rows] of Object.entries(options.sizes)) object.setMaxEntries(name, rows);
    for (const name of MAP_NAMES) {
      const pin = join(options.pinnedMaps, name);
      if (!existsSync(pin)) continue;
      const map = BpfMap.openPinned(pin);
      reused.push(map);
      object.reuseMap(name, map);
    }
    await object.load();
    for (const name of MAP_NAMES) {
      const pin = join(options.pinnedMaps, name);
      if (!existsSync(pin)) object.map(name).pin(pin);
    }
    return object;
  } catch (error) {
    object.close();
    throw error;
  } finally {
    for (const map of reused) map.close();
  }
}
