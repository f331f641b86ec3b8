// The API server as a test talks to it: JSON over a Unix socket that leads to it, and watches to wait for what controllers do.
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, request as requestHttps } from 'node:https';
import { createInterface } from 'node:readline';
import type { Certificate } from './certificates.ts';
import type { Manifest } from './turnout.ts';

const WAIT_MS = 60_000;
const SHOWN = 4000; // characters of what is there instead, in an error message
const MERGE_PATCH = 'application/merge-patch+json';

const PLURALS = {
  Namespace: '/api/v1/namespaces',
  Node: '/api/v1/nodes',
  Pod: '/api/v1/pods',
  Service: '/api/v1/services',
  EndpointSlice: '/apis/discovery.k8s.io/v1/endpointslices',
  ServiceCIDR: '/apis/networking.k8s.io/v1/servicecidrs',
} as const;
export type Kind = keyof typeof PLURALS;

/** An object as the API server gives it. */
export interface KubeObject extends Manifest {
  readonly metadata: Manifest['metadata'] & { readonly resourceVersion: string; readonly deletionTimestamp?: string };
}
export interface KubeList {
  readonly metadata: { readonly resourceVersion: string };
  readonly items: readonly KubeObject[];
}
export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: KubeObject & { readonly code?: number };
}
export interface Reference {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

/** The API server answered, but not with success. */
export class KubeError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(`${status}: ${message}`);
    this.status = status;
  }
}

function collection(kind: string, namespace = ''): string {
  const path = PLURALS[kind as Kind];
  if (!path) throw new Error(`the lab knows no objects of kind ${kind}`);
  return namespace === '' ? path : path.replace(/\/([a-z]+)$/, `/namespaces/${namespace}/$1`);
}
const pathOf = ({ kind, metadata }: Reference): string => `${collection(kind, metadata.namespace)}/${metadata.name}`;

export interface KubeClientOptions extends Certificate {
  readonly socketPath: string;
  readonly authority: string; // path of a PEM file
}

export class KubeClient {
  readonly #socketPath: string;
  readonly #agent: Agent;

  constructor({ socketPath, authority, certificate, key }: KubeClientOptions) {
    this.#socketPath = socketPath;
    const [ca, cert] = [readFileSync(authority), readFileSync(certificate)];
    this.#agent = new Agent({ keepAlive: true, ca, cert, key: readFileSync(key), servername: 'localhost' });
  }

  async isReady(): Promise<boolean> {
    try {
      await this.#send('GET', '/readyz');
      return true;
    } catch {
      return false;
    }
  }

  create(object: Manifest): Promise<KubeObject> {
    return this.#json('POST', collection(object.kind, object.metadata.namespace), object);
  }

  get(reference: Reference): Promise<KubeObject> {
    return this.#json('GET', pathOf(reference));
  }

  /** JSON merge patch; of a part as '/status' when that is named. */
  patch(reference: Reference, change: object, part = ''): Promise<KubeObject> {
    return this.#json('PATCH', pathOf(reference) + part, change);
  }

  /** graceSeconds: a Pod stays that long as terminating, and forever when nobody ends it. */
  delete(reference: Reference, graceSeconds = 0): Promise<KubeObject> {
    return this.#json('DELETE', pathOf(reference), { gracePeriodSeconds: graceSeconds });
  }

  list(kind: Kind, namespace = '', query: Record<string, string> = {}): Promise<KubeList> {
    return this.#json('GET', `${collection(kind, namespace)}?${new URLSearchParams(query)}`);
  }

  /** Events from a version on, until the server or the caller ends it. Throws KubeError, also for an event of type ERROR. */
  async *watch(kind: Kind, resourceVersion: string, signal?: AbortSignal): AsyncGenerator<WatchEvent> {
    const query = new URLSearchParams({ watch: 'true', resourceVersion });
    const answer = await this.#send('GET', `${collection(kind)}?${query}`, undefined, signal);
    try {
      for await (const line of createInterface({ input: answer })) {
        const event = JSON.parse(line) as WatchEvent;
        if (event.type === 'ERROR') throw new KubeError(event.object.code ?? 0, String(event.object['message']));
        yield event;
      }
    } finally {
      answer.destroy();
    }
  }

  /** Resolves with all objects of a kind once they are as wanted: looks at first, then with every event. */
  async waitFor(kind: Kind, what: string, isDone: (objects: readonly KubeObject[]) => boolean): Promise<readonly KubeObject[]> {
    const { items, metadata } = await this.list(kind);
    const keyOf = (object: KubeObject): string => `${object.metadata.namespace}/${object.metadata.name}`;
    const known = new Map(items.map((item) => [keyOf(item), item]));
    if (isDone(items)) return items;
    const signal = AbortSignal.timeout(WAIT_MS);
    try {
      for await (const { type, object } of this.watch(kind, metadata.resourceVersion, signal)) {
        if (type === 'DELETED') known.delete(keyOf(object));
        else known.set(keyOf(object), object);
        if (isDone([...known.values()])) return [...known.values()];
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    const there = [...known.values()].map(({ metadata: _, ...rest }) => JSON.stringify(rest).slice(0, 500));
    throw new Error(
      `not within ${WAIT_MS / 1000} s: ${what}; there are ${[...known.keys()]}\n${there.join('\n').slice(0, SHOWN)}`,
    );
  }

  async #json<Result>(method: string, path: string, body?: object): Promise<Result> {
    return JSON.parse(await textOf(await this.#send(method, path, body))) as Result;
  }

  /** Resolves with a successful answer whose body is still to be read. */
  async #send(method: string, path: string, body?: object, signal?: AbortSignal): Promise<IncomingMessage> {
    const text = body ? JSON.stringify(body) : '';
    // The length is said because DELETE has a body only if it is.
    const headers = {
      'content-type': method === 'PATCH' ? MERGE_PATCH : 'application/json',
      'content-length': Buffer.byteLength(text),
    };
    const options = { method, path, headers, agent: this.#agent, socketPath: this.#socketPath, ...(signal && { signal }) };
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = requestHttps(options, resolve);
      request.on('error', reject);
      request.end(text);
    });
    answer.on('error', () => {}); // whoever reads it is told
    const status = answer.statusCode ?? 0;
    if (status >= 200 && status < 300) return answer;
    throw new KubeError(status, `${method} ${path}: ${await textOf(answer)}`);
  }
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of answer) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}
