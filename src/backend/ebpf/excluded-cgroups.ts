// Keeps `excluded_cgroups` in step with the cgroups that match ebpf.socketPath.exclude, as folders come and go.
import { type FSWatcher, readdirSync, readFileSync, statSync, watch } from 'node:fs';
import { dirname, join } from 'node:path';
import { CgroupPatterns, type CgroupProgress } from '../../config/cgroup-pattern.ts';
import { u32Bytes, u64Bytes, viewOf } from '../../datapath/bytes.ts';
import type { Logger } from '../../log.ts';
import type { BpfMap } from '../../native/bpf-map.ts';
import { mountPoints } from './pins.ts';

export interface ExcludedCgroupsOptions {
  readonly map: Pick<BpfMap, 'keys' | 'set' | 'delete'>;
  readonly root: string; // where the socket path is attached; patterns begin there
  readonly patterns: readonly string[];
  readonly logger: Logger;
}

/** A cgroup under which something may match. One that matches has no children here: the programs ask for ancestors. */
interface Folder {
  readonly path: string;
  readonly id: bigint;
  readonly progress: CgroupProgress;
  readonly isExcluded: boolean;
  readonly watcher: FSWatcher | null;
  readonly children: Map<string, Folder>;
}

const PRESENT = u32Bytes(1);
const SKIPPED: ReadonlySet<string> = new Set(['ENOENT', 'ENODEV', 'ENOTDIR']); // gone since we heard of it

/**
 * Invariants: a row is there for every folder that matches and is not below one that does; a folder is watched before it is listed,
 * so that nothing made in between is missed. Between mkdir and the row a process of the new cgroup may still be translated.
 */
export class ExcludedCgroups {
  readonly #options: ExcludedCgroupsOptions;
  readonly #patterns: CgroupPatterns;
  readonly #rows = new Map<bigint, string>(); // id -> path
  #root: Folder | null = null;
  #isFailing = false;

  constructor(options: ExcludedCgroupsOptions) {
    this.#options = options;
    this.#patterns = new CgroupPatterns(options.patterns);
  }

  get count(): number {
    return this.#rows.size;
  }

  /** Ids that should be in the table. */
  get ids(): ReadonlyMap<bigint, string> {
    return this.#rows;
  }

  /** Whether this process is one of those that are left to the packet path; false where its own cgroup cannot be seen. */
  get coversThisProcess(): boolean {
    if (this.#rows.size === 0) return false;
    const own = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? '';
    return mountPoints('cgroup2').some((mount) => {
      for (let path = join(mount, own); path.length > mount.length; path = dirname(path)) {
        const found = statSync(path, { bigint: true, throwIfNoEntry: false });
        if (found && this.#rows.has(found.ino)) return true;
      }
      return false;
    });
  }

  /** Looks at all that may match, and follows it from now on. Again: in case something was missed, or somebody touched the rows. */
  reconcile(): void {
    const { patterns, root } = this.#options;
    if (patterns.length > 0) {
      this.#root ??= this.#open(root, statSync(root, { bigint: true }).ino, this.#patterns.start);
      this.#look(this.#root);
    }
    for (const key of this.#options.map.keys()) {
      if (!this.#rows.has(viewOf(key).getBigUint64(0, true))) this.#options.map.delete(key);
    }
    for (const id of this.#rows.keys()) this.#write(id);
  }

  close(): void {
    const shut = ({ watcher, children }: Folder): void => {
      watcher?.close();
      for (const child of children.values()) shut(child);
    };
    if (this.#root) shut(this.#root);
    this.#root = null;
  }

  /** Everything below a folder that may match. */
  #look(folder: Folder): void {
    const names = new Set(folder.children.keys());
    for (const entry of foldersIn(folder.path)) names.add(entry);
    for (const name of names) this.#check(folder, name);
  }

  /** What is there by this name now. */
  #check(parent: Folder, name: string): void {
    const path = join(parent.path, name);
    const found = statSync(path, { bigint: true, throwIfNoEntry: false });
    const id = found?.isDirectory() ? found.ino : null;
    const known = parent.children.get(name);
    if (known && known.id !== id) {
      this.#drop(known);
      parent.children.delete(name);
    }
    if (id === null) return;
    const folder = parent.children.get(name) ?? this.#enter(parent, name, path, id);
    if (folder && !folder.isExcluded) this.#look(folder);
  }

  /** Null: nothing at or below this folder can match. */
  #enter(parent: Folder, name: string, path: string, id: bigint): Folder | null {
    const { isMatch, progress } = this.#patterns.enter(parent.progress, name);
    if (!isMatch && progress.length === 0) return null;
    const folder = isMatch
      ? { path, id, progress: [], isExcluded: true, watcher: null, children: new Map<string, Folder>() }
      : this.#open(path, id, progress);
    parent.children.set(name, folder);
    if (isMatch) {
      this.#rows.set(id, path);
      this.#write(id);
      this.#options.logger.verbose(2, 'Cgroup is left to the packet path', { cgroup: path });
    }
    return folder;
  }

  #open(path: string, id: bigint, progress: CgroupProgress): Folder {
    const children = new Map<string, Folder>();
    const folder: Folder = { path, id, progress, isExcluded: false, watcher: this.#watch(path, (name) => heard(name)), children };
    const heard = (name: string | null): void => (name === null ? this.#look(folder) : this.#check(folder, name));
    return folder;
  }

  #watch(path: string, heard: (name: string | null) => void): FSWatcher | null {
    const failed = (error: unknown): void => {
      if (SKIPPED.has((error as { code?: string }).code ?? '') || this.#isFailing) return;
      this.#isFailing = true;
      this.#options.logger.error('Cannot follow cgroups; new ones are found at the next full resync', {
        cgroup: path,
        err: error,
      });
    };
    try {
      // 'change' tells of writes to the cgroup's own files; folders come and go as 'rename'.
      const watcher = watch(path, { persistent: false }, (event, name) => {
        if (event !== 'rename') return;
        try {
          heard(name);
        } catch (error) {
          failed(error);
        }
      });
      return watcher.on('error', failed);
    } catch (error) {
      failed(error);
      return null;
    }
  }

  #drop(folder: Folder): void {
    folder.watcher?.close();
    for (const child of folder.children.values()) this.#drop(child);
    if (!this.#rows.delete(folder.id)) return;
    this.#options.map.delete(u64Bytes(folder.id));
  }

  #write(id: bigint): void {
    try {
      this.#options.map.set(u64Bytes(id), PRESENT);
    } catch (error) {
      const cgroup = this.#rows.get(id) ?? '';
      this.#options.logger.error('Cannot exclude a cgroup from the socket path; it is tried again', { cgroup, err: error });
    }
  }
}

function foldersIn(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
  } catch (error) {
    if (SKIPPED.has((error as { code?: string }).code ?? '')) return [];
    throw error;
  }
}
