// All tables of a node's datapath as text, to see whether something left a trace.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { BpfMap } from '../../src/native/bpf-map.ts';

const RING_BUFFER = 27;
const SK_STORAGE = 24;
const PER_CPU_ARRAY = 6;

/** By table: its rows in hexadecimal, sorted. Of ring buffers nothing: whoever reads them empties them. */
export function dumpMaps(bpffs: string): Record<string, string[]> {
  const dump: Record<string, string[]> = {};
  for (const folder of mapFolders(bpffs)) {
    for (const name of readdirSync(folder)) {
      const map = BpfMap.openPinned(join(folder, name));
      if (map.type !== RING_BUFFER && map.type !== SK_STORAGE) dump[name] = rowsOf(map);
      map.close();
    }
  }
  return dump;
}

function mapFolders(bpffs: string): string[] {
  const root = join(bpffs, 'turnout');
  const nodes = readdirSync(root).flatMap((node) =>
    readdirSync(join(root, node)).map((layout) => join(root, node, layout, 'maps')),
  );
  return nodes.filter((path) => existsSync(path));
}

function rowsOf(map: BpfMap): string[] {
  if (map.type === PER_CPU_ARRAY) return map.keys().map((key) => `${hex(key)} ${hex(map.perCpuGet(key))}`);
  const { count, keys, values } = map.getBatch();
  const zero = '0'.repeat(map.rowSize * 2);
  const rows = Array.from({ length: count }, (_, i) => {
    const key = keys.subarray(i * map.keySize, (i + 1) * map.keySize);
    return [hex(key), hex(values.subarray(i * map.rowSize, (i + 1) * map.rowSize))] as const;
  });
  return rows.flatMap(([key, value]) => (value === zero ? [] : [`${key} ${value}`])).sort();
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
