// Manifests for tests: objects as users write them, and a folder of them with a source that watches it.
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { ManifestsSource } from '../../../src/cluster/manifests-source.ts';
import { describeReference } from '../../../src/cluster/read-object.ts';
import type { ObjectReference, SourceListener, SourceWarning } from '../../../src/cluster/source.ts';
import type { ClusterObject, ResourceKind } from '../../../src/state/model.ts';

export function serviceYaml(name: string, clusterIP: string, port: number | string = 80): string {
  return `apiVersion: v1
kind: Service
metadata:
  name: ${name}
spec:
  clusterIP: ${clusterIP}
  ports:
  - name: http
    port: ${port}
`;
}

/** What a source told, in order. */
export type Told =
  | { readonly what: 'upsert'; readonly object: ClusterObject }
  | { readonly what: 'delete'; readonly reference: ObjectReference }
  | { readonly what: 'synced'; readonly kind: ResourceKind }
  | { readonly what: 'warn'; readonly warning: SourceWarning };

/** 'upsert Service default/web', 'delete Service default/web', 'synced Node', 'warn a.yaml:3:1'. */
function line(told: Told): string {
  if (told.what === 'synced') return `synced ${told.kind}`;
  if (told.what === 'warn') return `warn ${told.warning.where}`;
  if (told.what === 'delete') return `delete ${describeReference(told.reference)}`;
  const { kind, name } = told.object;
  return `upsert ${describeReference({ kind, namespace: 'namespace' in told.object ? told.object.namespace : '', name })}`;
}

/** A folder of manifests of its own, removed when the test ends; `watch` has a source follow it. */
export class ManifestFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'turnout-manifests-'));
  readonly told: Told[] = [];
  #wake = (): void => {};
  #seen = 0;

  constructor() {
    onTestFinished(() => rmSync(this.path, { recursive: true, force: true }));
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.path, name), text);
  }

  /** As careful writers do it: a new file takes the place of the old one. */
  replace(name: string, text: string): void {
    this.write(`${name}.new`, text);
    renameSync(join(this.path, `${name}.new`), join(this.path, name));
  }

  remove(name: string): void {
    rmSync(join(this.path, name));
  }

  /** Starts the source and waits for its first picture. Another listener hears it, too. */
  async watch(other?: Pick<SourceListener, 'upsert' | 'delete'>): Promise<void> {
    this.start(other);
    await this.until('synced ServiceCIDR');
  }

  /** Starts the source; it ends with the test. */
  start(other?: Pick<SourceListener, 'upsert' | 'delete'>): void {
    const tell = (told: Told): void => {
      this.told.push(told);
      this.#wake();
    };
    const abort = new AbortController();
    const listener: SourceListener = {
      upsert: (object) => {
        other?.upsert(object);
        tell({ what: 'upsert', object });
      },
      delete: (reference) => {
        other?.delete(reference);
        tell({ what: 'delete', reference });
      },
      synced: (kind) => tell({ what: 'synced', kind }),
      warn: (warning) => tell({ what: 'warn', warning }),
    };
    const run = new ManifestsSource(this.path).run(listener, abort.signal);
    onTestFinished(() => {
      abort.abort();
      return run;
    });
  }

  /** Waits for the next event of this text, one wait at a time; returns the lines told since the last wait, this one included. */
  async until(text: string): Promise<string[]> {
    for (;;) {
      const lines = this.told.slice(this.#seen).map(line);
      const at = lines.indexOf(text);
      if (at >= 0) {
        this.#seen += at + 1;
        return lines.slice(0, at + 1);
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  get warnings(): SourceWarning[] {
    return this.told.flatMap((told) => (told.what === 'warn' ? [told.warning] : []));
  }
}
