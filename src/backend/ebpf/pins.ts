// Where pins live: <bpffs>/turnout/netns-<cookie>/<layout>/{maps,links}. A node is a network namespace, and several may see one
// bpffs. The last name stands for the layout and the table sizes, so that tables which cannot be reused are never mistaken for ours.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { fingerprintOf } from '../../datapath/description.ts';
import { LAYOUT } from '../../datapath/layout.gen.ts';
import { TurnoutError } from '../../errors.ts';
import { isBpffs, mountBpffs, netnsCookie, unpin } from '../../native/system.ts';

const DEFAULT_ROOT = '/sys/fs/bpf';
const FOLDER = 'turnout';

export interface PinFolder {
  readonly path: string;
  readonly maps: string;
  readonly links: string;
}

/** Mount points of one file system type in our mount namespace. */
export function mountPoints(type: string, mounts: string = readFileSync('/proc/self/mounts', 'utf8')): string[] {
  return mounts
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, path, fsType]) => fsType === type && path !== undefined)
    .map(([, path = '']) => path.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))));
}

/** The bpffs to use; null when there is none. Mounts nothing. */
export function findBpffs(configured: string): string | null {
  if (configured !== '') return isBpffs(configured) ? configured : null;
  return mountPoints('bpf')[0] ?? null;
}

/** The bpffs to use, mounted when there is none. */
export function ensureBpffs(configured: string): string {
  const found = findBpffs(configured);
  if (found !== null) return found;
  const path = configured === '' ? DEFAULT_ROOT : configured;
  try {
    mkdirSync(path, { recursive: true });
    mountBpffs(path);
    return path;
  } catch (error) {
    throw new TurnoutError('ENOBPFFS', `there is no bpffs at ${path}, and it cannot be mounted: ${(error as Error).message}`, {
      hint: `type: mount -t bpf bpf ${path}   (or name another with --ebpf-bpffs-root)`,
      cause: error,
    });
  }
}

/** Name of the folder for this layout and these sizes. */
export function layoutName(sizes: Readonly<Record<string, number>>): string {
  const text = Object.entries(sizes)
    .sort()
    .map(([map, rows]) => `${map} ${rows} rows`);
  return fingerprintOf([...LAYOUT, ...text]);
}

/** This node's own part of a bpffs. The cookie is never given to another network namespace while the machine is up. */
const rootOf = (bpffs: string): string => join(bpffs, FOLDER, `netns-${netnsCookie()}`);

export function pinFolder(bpffs: string, name: string): PinFolder {
  const path = join(rootOf(bpffs), name);
  return { path, maps: join(path, 'maps'), links: join(path, 'links') };
}

/** Every folder of this node, whatever its layout. */
export function pinFolders(bpffs: string): PinFolder[] {
  const root = rootOf(bpffs);
  return existsSync(root) ? readdirSync(root).map((name) => pinFolder(bpffs, name)) : [];
}

export const pinNames = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder) : []);

export function makePinFolder(folder: PinFolder): void {
  mkdirSync(folder.maps, { recursive: true, mode: 0o700 });
  mkdirSync(folder.links, { recursive: true, mode: 0o700 });
}

/** Removes a folder with all its pins; links lose their hold and detach. */
export function removePinFolder(folder: PinFolder): void {
  for (const kind of [folder.links, folder.maps]) {
    for (const name of pinNames(kind)) unpin(join(kind, name));
    if (existsSync(kind)) rmdirSync(kind);
  }
  if (existsSync(folder.path)) rmdirSync(folder.path);
}

/**
 * Removes a folder that no hook uses while another one is in use: tables of a start that came to no end. What they hold is out
 * of date, and must not be mixed with what is copied now.
 */
export function removeUnfinished(folder: PinFolder, others: readonly PinFolder[]): void {
  const isHooked = ({ links }: PinFolder): boolean => pinNames(links).length > 0;
  if (!isHooked(folder) && others.some(isHooked)) removePinFolder(folder);
}

/** Removes what holds the folders once the last one is gone: this node's part, and the whole when no other node has one. */
export function removePinRoot(bpffs: string): void {
  for (const root of [rootOf(bpffs), join(bpffs, FOLDER)]) {
    if (existsSync(root) && readdirSync(root).length === 0) rmdirSync(root);
  }
}
