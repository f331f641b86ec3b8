// List and watch as an API server does them, for two proxies that ask with kube-proxy's selectors.
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ApiEvent, type ApiObject, PATHS } from './objects.ts';

interface Watch {
  readonly path: string;
  readonly matches: Selector;
  readonly response: ServerResponse;
}
export type Selector = (object: ApiObject) => boolean;

/** Of the query: labelSelector with '!key' terms. The field selectors that proxies use select everything there is here. */
export function selectorOf(query: URLSearchParams): Selector {
  const terms = (query.get('labelSelector') ?? '').split(',').filter(Boolean);
  const unknown = terms.find((term) => !/^![\w./-]+$/.test(term));
  if (unknown) throw new Error(`label selector ${unknown} is not known here`);
  const absent = terms.map((term) => term.slice(1));
  return ({ metadata }) => absent.every((key) => !(key in (metadata.labels ?? {})));
}

/** What a watch is told of an event, '' for nothing: an object that stops matching is deleted to it. */
export function eventFor(matches: Selector, before: ApiObject | undefined, after: ApiObject | undefined): string {
  const was = before !== undefined && matches(before);
  const is = after !== undefined && matches(after);
  if (is) return was ? 'MODIFIED' : 'ADDED';
  return was ? 'DELETED' : '';
}

export class ListWatch {
  readonly #objects = new Map(Object.keys(PATHS).map((path) => [path, new Map<string, ApiObject>()]));
  readonly #watches = new Set<Watch>();
  #version = 1;

  /** On a port of loopback, which it returns. */
  async listen(): Promise<number> {
    const server = createServer(({ url = '' }, response) => this.#answer(new URL(url, 'http://localhost'), response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  }

  apply({ type, path, object }: ApiEvent): void {
    const { metadata } = object;
    const key = `${metadata.namespace ?? ''}/${metadata.name}`;
    const objects = this.#objects.get(path)!;
    const before = objects.get(key);
    const stored = { ...object, metadata: { ...metadata, resourceVersion: String(++this.#version), uid: key } };
    if (type === 'set') objects.set(key, stored);
    else objects.delete(key);
    for (const watch of this.#watches) {
      if (watch.path !== path) continue;
      const told = eventFor(watch.matches, before, type === 'set' ? stored : undefined);
      if (told === '') continue;
      // What is deleted to a watch is told as it last was there: kube-proxy takes its ports from this, not from what it remembers.
      const last = { ...before, metadata: { ...before?.metadata, resourceVersion: stored.metadata.resourceVersion } };
      watch.response.write(`${JSON.stringify({ type: told, object: told === 'DELETED' ? last : stored })}\n`);
    }
  }

  #answer({ pathname: path, searchParams: query }: URL, response: ServerResponse): void {
    response.setHeader('content-type', 'application/json');
    const objects = this.#objects.get(path);
    if (!objects) {
      response.statusCode = 404;
      response.end(JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 404, message: 'not found' }));
      return;
    }
    const matches = selectorOf(query);
    if (query.has('watch')) {
      response.flushHeaders();
      const watch = { path, matches, response };
      this.#watches.add(watch);
      response.on('close', () => this.#watches.delete(watch));
      return;
    }
    const { apiVersion, kind } = PATHS[path]!;
    const items = [...objects.values()].filter(matches);
    const metadata = { resourceVersion: String(this.#version) };
    response.end(JSON.stringify({ apiVersion, kind: `${kind}List`, metadata, items }));
  }
}
