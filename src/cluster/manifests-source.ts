// Objects from a folder of YAML and JSON files, hot-reloaded. For demos, tests, and nodes without an API server.
import { watch } from 'node:fs';
import { lstat, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseManifestFile } from './manifest-file.ts';
import { type HeldObject, ManifestObjects, referenceKey } from './manifest-objects.ts';
import { describeReference } from './read-object.ts';
import type { ObjectReference, Source, SourceListener, SourceWarning } from './source.ts';

/** A file written in place is read once it has been quiet for this long; a replaced one (new inode) at once. */
const QUIET_MS = 100;
/** fs.watch can miss changes (some overlay and network file systems), so the folder is looked at anyway. */
const RESCAN_MS = 2000;
const EXTENSIONS = ['.yaml', '.yml', '.json'];

interface SeenFile {
  readonly signature: string; // inode, size and modification time
  readonly inode: bigint;
  readonly warnings: ReadonlySet<string>; // those given about it, so that each is given once
}

/**
 * Invariants:
 * - A file that cannot be read or parsed keeps the objects it last held; so does a faulty object.
 * - A folder that is missing changes nothing: a partial picture is never taken for the whole.
 * - `synced` is told once, after the first complete look.
 */
export class ManifestsSource implements Source {
  readonly #folder: string;
  readonly #files = new Map<string, SeenFile>();
  #objects: ManifestObjects | null = null;
  #isSynced = false;
  #isFolderMissing = false;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async run(listener: SourceListener, signal: AbortSignal): Promise<void> {
    const objects = new ManifestObjects(listener);
    this.#objects = objects;
    while (!signal.aborted) {
      // Watch first, then look: what changes during the look wakes the next one.
      const change = this.#nextChange(signal);
      const waitMs = await this.#look(objects, listener);
      await change.within(waitMs);
    }
  }

  whereIs(reference: ObjectReference): string {
    return this.#objects?.whereIs(reference) ?? '';
  }

  /** A look at every file; reads only those that changed. Returns when to look again at the latest. */
  async #look(objects: ManifestObjects, listener: SourceListener): Promise<number> {
    let names: string[];
    try {
      names = (await readdir(this.#folder)).filter((name) => EXTENSIONS.some((extension) => name.endsWith(extension))).sort();
    } catch (error) {
      if (!this.#isFolderMissing) {
        const message = `cannot be read (${codeOf(error)}); waiting for it${this.#isSynced ? ', its objects stay in force' : ''}`;
        listener.warn({ where: this.#folder, object: '', field: '', message });
      }
      this.#isFolderMissing = true;
      return QUIET_MS * 5;
    }
    this.#isFolderMissing = false;
    let isComplete = true;
    for (const name of names) isComplete = (await this.#lookAt(name, objects, listener)) && isComplete;
    for (const name of [...this.#files.keys()]) {
      if (names.includes(name)) continue;
      this.#files.delete(name);
      objects.replace(name, new Map());
    }
    if (isComplete && !this.#isSynced) {
      this.#isSynced = true;
      for (const kind of ['Service', 'EndpointSlice', 'Node', 'ServiceCIDR'] as const) listener.synced(kind);
    }
    return isComplete ? RESCAN_MS : QUIET_MS;
  }

  /** False when the file is being written and must be looked at again. */
  async #lookAt(name: string, objects: ManifestObjects, listener: SourceListener): Promise<boolean> {
    const path = join(this.#folder, name);
    const before = this.#files.get(name);
    const warnings = new Set<string>();
    const warn = (warning: SourceWarning): void => {
      const key = `${warning.object} ${warning.field} ${warning.message}`;
      if (!before?.warnings.has(key) && !warnings.has(key)) listener.warn(warning);
      warnings.add(key);
    };
    try {
      const { ino: inode, size, mtimeNs, mtimeMs, isFile } = await statOf(path);
      if (!isFile) return true;
      const signature = `${inode} ${size} ${mtimeNs}`;
      if (before?.signature === signature) return true;
      const isReplaced = before !== undefined && before.inode !== inode;
      // A time in the future is no reason to wait: the clock may be behind, as after a start without a network.
      if (!isReplaced && Math.abs(Date.now() - mtimeMs) < QUIET_MS) return false;
      const text = await readFile(path, 'utf8');
      if ((await statOf(path)).mtimeNs !== mtimeNs) return false;
      this.#take(name, text, objects, warn);
      this.#files.set(name, { signature, inode, warnings });
    } catch (error) {
      // Gone between two looks: the next one tells. A link to nowhere stays, and is no reason to wait.
      if (codeOf(error) === 'ENOENT' && !(await isThere(path))) return false;
      warn({
        where: name,
        object: '',
        field: '',
        message: `cannot be read (${codeOf(error)}); what it last held stays in force`,
      });
      this.#files.set(name, { signature: before?.signature ?? '', inode: before?.inode ?? 0n, warnings });
    }
    return true;
  }

  #take(name: string, text: string, objects: ManifestObjects, warn: (warning: SourceWarning) => void): void {
    const last = objects.of(name);
    const file = parseManifestFile(name, text);
    if (file.kind === 'unreadable') {
      const stays = last.size > 0 ? 'what it last held stays in force' : 'nothing is taken from it';
      warn({ where: file.where, object: '', field: '', message: `${file.message}; ${stays}` });
      return;
    }
    const held = new Map<string, HeldObject>();
    for (const { where, result, locate } of file.objects) {
      const key = result.reference ? referenceKey(result.reference) : '';
      if (result.kind === 'faulty') {
        const good = last.get(key);
        if (good && !held.has(key)) held.set(key, good);
        const stays = good ? 'its last good version stays in force' : 'it is left out';
        for (const { field, message } of result.faults) {
          warn({ where: locate(field), object: describeReference(result.reference), field, message: `${message}; ${stays}` });
        }
        continue;
      }
      if (held.has(key)) {
        warn({
          where,
          object: describeReference(result.reference),
          field: '',
          message: 'is in this file twice; the first is taken',
        });
        continue;
      }
      if (result.kind === 'object') {
        for (const { field, message } of result.omissions) {
          warn({ where: locate(field), object: describeReference(result.reference), field, message });
        }
      }
      const object = result.kind === 'object' ? result.object : null;
      held.set(key, { reference: result.reference, object, where });
    }
    objects.replace(name, held);
  }

  #nextChange(signal: AbortSignal): { within(ms: number): Promise<void> } {
    let settle = (): void => {};
    const changed = new Promise<void>((resolve) => {
      settle = resolve;
    });
    let watcher: ReturnType<typeof watch> | undefined;
    try {
      watcher = watch(this.#folder, { persistent: false }, () => settle());
      watcher.on('error', () => settle());
    } catch {
      // A missing folder cannot be watched; the timer looks again.
    }
    signal.addEventListener('abort', settle, { once: true });
    return {
      within: async (ms) => {
        const timer = setTimeout(settle, ms);
        await changed;
        clearTimeout(timer);
        watcher?.close();
        signal.removeEventListener('abort', settle);
      },
    };
  }
}

async function statOf(path: string): Promise<{ ino: bigint; size: bigint; mtimeNs: bigint; mtimeMs: number; isFile: boolean }> {
  const status = await stat(path, { bigint: true });
  return {
    ino: status.ino,
    size: status.size,
    mtimeNs: status.mtimeNs,
    mtimeMs: Number(status.mtimeMs),
    isFile: status.isFile(),
  };
}

/** Also true of a link to nowhere. */
async function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}
