// Speaks list and watch as the API server does, over real HTTP, and can be told to misbehave, which a real one cannot.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ApiObject {
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly resourceVersion?: string };
  readonly [field: string]: unknown;
}

/** Answers a request itself and returns true, or leaves it to the server. */
export type Misbehaviour = (path: string, query: URLSearchParams, response: ServerResponse) => boolean;

export class ListWatchServer {
  readonly #server: Server;
  readonly #collections = new Map<string, Map<string, ApiObject>>();
  readonly #watches = new Map<ServerResponse, string>(); // to its path
  readonly requests: { readonly path: string; readonly query: URLSearchParams }[] = [];
  misbehave: Misbehaviour = () => false;
  #version = 100;
  #port = 0;

  constructor(paths: readonly string[]) {
    for (const path of paths) this.#collections.set(path, new Map());
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** On the port it had before, if it had one. */
  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  set(path: string, object: ApiObject): void {
    const objects = this.#collections.get(path);
    const key = `${object.metadata.namespace ?? ''}/${object.metadata.name}`;
    const type = objects?.has(key) ? 'MODIFIED' : 'ADDED';
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#version) } };
    objects?.set(key, stored);
    this.send(path, { type, object: stored });
  }

  delete(path: string, namespace: string, name: string): void {
    const objects = this.#collections.get(path);
    const object = objects?.get(`${namespace}/${name}`);
    objects?.delete(`${namespace}/${name}`);
    const metadata = { ...object?.metadata, resourceVersion: String(++this.#version) };
    this.send(path, { type: 'DELETED', object: { ...object, metadata } });
  }

  /** Forgets an object without telling, as events that were compacted away. */
  forget(path: string, namespace: string, name: string): void {
    this.#collections.get(path)?.delete(`${namespace}/${name}`);
    this.#version++;
  }

  send(path: string, event: object): void {
    for (const [response, watched] of this.#watches) if (watched === path) response.write(`${JSON.stringify(event)}\n`);
  }

  /** How many watches of this path are open. */
  watching(path: string): number {
    return [...this.#watches.values()].filter((watched) => watched === path).length;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '', this.url);
    const { pathname: path, searchParams: query } = url;
    this.requests.push({ path, query });
    if (this.misbehave(path, query, response)) return;
    const objects = this.#collections.get(path);
    if (!objects) return answerStatus(response, 404, 'the server could not find the requested resource');
    if (query.get('watch') === 'true') {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.flushHeaders();
      this.#watches.set(response, path);
      response.on('close', () => this.#watches.delete(response));
      return;
    }
    const body = { kind: 'List', metadata: { resourceVersion: String(this.#version) }, items: [...objects.values()] };
    response.end(JSON.stringify(body));
  }
}

export function answerStatus(response: ServerResponse, code: number, message: string): void {
  response.writeHead(code, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ kind: 'Status', status: 'Failure', code, message }));
}
