// Folders of a temporary tree stand for cgroups: the identity of both is the inode number.
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ExcludedCgroups } from '../../../src/backend/ebpf/excluded-cgroups.ts';
import { createLogger } from '../../../src/log.ts';

let root: string;
let excluded: ExcludedCgroups | null;
let rows: Set<bigint>;
let lines: string[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'turnout-cgroups-'));
  rows = new Set();
  lines = [];
  excluded = null;
});
afterEach(() => {
  excluded?.close();
  rmSync(root, { recursive: true, force: true });
});

const idOf = (key: Uint8Array): bigint => new DataView(key.buffer, key.byteOffset).getBigUint64(0, true);
const map = {
  keys: () => [...rows].map((id) => new Uint8Array(new BigUint64Array([id]).buffer)),
  set: (key: Uint8Array) => void rows.add(idOf(key)),
  delete: (key: Uint8Array) => rows.delete(idOf(key)),
};

const folder = (path: string): string => mkdirSync(join(root, path), { recursive: true }) ?? '';
const remove = (path: string): void => rmSync(join(root, path), { recursive: true });
const idsOf = (...paths: string[]): Set<bigint> => new Set(paths.map((path) => statSync(join(root, path), { bigint: true }).ino));

/** Starts with these patterns. */
function exclude(...patterns: string[]): ExcludedCgroups {
  const logger = createLogger({ format: 'text', verbosity: 0, write: (line) => lines.push(line) });
  excluded = new ExcludedCgroups({ map, root, patterns, logger });
  excluded.reconcile();
  return excluded;
}

describe('excluded cgroups', () => {
  test('are those that match at the start; what is below one needs no row', () => {
    for (const path of ['pods/a/mesh1/inner', 'pods/b/mesh2', 'pods/c/web', 'mesh3']) folder(path);
    const { count } = exclude('/pods/**/mesh*');
    expect(rows).toEqual(idsOf('pods/a/mesh1', 'pods/b/mesh2'));
    expect(count).toBe(2);
  });

  test('come and go with their folders', async () => {
    folder('pods');
    exclude('/pods/*/mesh*');
    folder('pods/a/mesh1');
    await vi.waitFor(() => expect(rows).toEqual(idsOf('pods/a/mesh1')));
    folder('pods/a/mesh2');
    await vi.waitFor(() => expect(rows).toEqual(idsOf('pods/a/mesh1', 'pods/a/mesh2')));
    remove('pods/a/mesh1');
    await vi.waitFor(() => expect(rows).toEqual(idsOf('pods/a/mesh2')));
    remove('pods');
    await vi.waitFor(() => expect(rows).toEqual(new Set()));
    folder('pods/b/mesh');
    await vi.waitFor(() => expect(rows).toEqual(idsOf('pods/b/mesh')));
    expect(lines).toEqual([]);
  });

  test('rows that a former process left for others are removed, with and without patterns', () => {
    folder('mesh');
    rows.add(1n);
    exclude('/mesh').close();
    expect(rows).toEqual(idsOf('mesh'));
    exclude();
    expect(rows).toEqual(new Set());
  });

  test('a look at all finds what was not heard of, and writes rows again that are gone', () => {
    const all = exclude('/*/mesh');
    folder('a/mesh');
    all.reconcile();
    expect(rows).toEqual(idsOf('a/mesh'));
    rows.clear();
    all.reconcile();
    expect(rows).toEqual(idsOf('a/mesh'));
  });
});
