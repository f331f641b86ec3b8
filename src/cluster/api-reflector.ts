// One resource of the API server, kept in step: a list, then a watch from there, again whenever that ends.
import type { IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import type { Logger } from '../log.ts';
import { type ApiClient, ApiStatusError } from './api-client.ts';
import type { ApiMirror } from './api-mirror.ts';
import type { ApiResource } from './api-resource.ts';
import { BackOff, pause } from './back-off.ts';

/** The server ends a watch after a random time in this range, as client-go asks it to, so that connections spread over servers. */
const WATCH_S = { min: 300, max: 600 };
/** Objects of one page, where lists come in pages. */
const PAGE = 500;
/** A server of today sends a bookmark each minute to a watch without events; one that says nothing for longer is gone. */
export const STALL_MS = 150_000;
/** A watch that ended sooner than this did not work. */
const WORKED_MS = 1000;

interface ListPage {
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items?: readonly object[] | null;
}
interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: {
    readonly metadata?: { readonly resourceVersion?: string };
    readonly code?: number;
    readonly message?: string;
  };
}

export interface Pace {
  readonly stallMs?: number; // of a silent watch
  readonly firstRetryMs?: number;
}

export interface ReflectorOptions extends Pace {
  readonly client: ApiClient;
  readonly resource: ApiResource;
  readonly mirror: ApiMirror;
  readonly onSynced: () => void; // the first complete list was delivered; called once
  readonly logger: Logger;
}

/** The server no longer has the version we watch from: a list is needed. */
const isExpired = (error: unknown): boolean => error instanceof ApiStatusError && error.status === 410;
const isUnknownQuery = (error: unknown): boolean =>
  error instanceof ApiStatusError && (error.status === 400 || error.status === 404);
/** 504 with this cause: a server that is behind, as after a restart, was asked for a version of the future. */
const isTooNew = (error: unknown): boolean => error instanceof ApiStatusError && error.status === 504;

/**
 * INVARIANTS
 * - A list is delivered whole or not at all: an incomplete one changes nothing.
 * - While the server is away everything stays as it is.
 */
export class ApiReflector {
  readonly #options: ReflectorOptions;
  readonly #backOff: BackOff;
  #resource: ApiResource;
  #version = ''; // resourceVersion to watch from; '' : a list is needed
  #lastVersion = '0'; // the newest one seen; '0' : any that the server has at hand
  #isSynced = false;
  #failure = ''; // reported one

  constructor(options: ReflectorOptions) {
    this.#options = options;
    this.#resource = options.resource;
    this.#backOff = new BackOff(options.firstRetryMs);
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const startMs = performance.now();
      try {
        if (this.#version === '') await this.#list(signal);
        await this.#watch(signal);
        // A server that did not know a resource may have been starting, or has been upgraded meanwhile.
        if (this.#resource !== this.#options.resource) [this.#resource, this.#version] = [this.#options.resource, ''];
        if (performance.now() - startMs < WORKED_MS) await pause(this.#backOff.next(), signal);
      } catch (error) {
        if (signal.aborted) return;
        await this.#recover(error, signal);
      }
    }
  }

  async #recover(error: unknown, signal: AbortSignal): Promise<void> {
    const { logger } = this.#options;
    const { kind, path, otherwise } = this.#resource;
    if (isExpired(error) || isTooNew(error)) {
      logger.info('The API server has not the version that was watched; listing again', { resource: path });
      this.#version = this.#lastVersion = '';
      this.#resource = this.#options.resource;
    } else if (isUnknownQuery(error) && otherwise) {
      logger.info('The API server does not know this; asking for it in another way', { resource: path, instead: otherwise.path });
      this.#resource = otherwise;
      return;
    } else if (isUnknownQuery(error)) {
      // An older server has no such resource: there is nothing to know, and nothing to wait for.
      logger.verbose(1, 'The API server has no such resource', { resource: path });
      if (kind === 'ServiceCIDR') this.#synced();
    } else {
      this.#report(error);
    }
    await pause(this.#backOff.next(), signal);
  }

  /** Once for one kind of failure, so that a long outage is one line for each resource. */
  #report(error: unknown): void {
    const { client, logger } = this.#options;
    const { message, code } = error as NodeJS.ErrnoException;
    const failure = message || code || String(error);
    if (failure === this.#failure) return;
    this.#failure = failure;
    logger.warn('The API server cannot be read; what is programmed stays in force, and it is tried again', {
      server: client.server,
      resource: this.#resource.path,
      err: failure,
    });
  }

  #works(): void {
    this.#backOff.reset();
    if (this.#failure === '') return;
    this.#failure = '';
    this.#options.logger.info('The API server can be read again', { resource: this.#resource.path });
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { client, mirror } = this.#options;
    const { path, query } = this.#resource;
    const items: object[] = [];
    // '0' and NotOlderThan are answered whole from the server's cache; the newest version comes in pages.
    const from = this.#lastVersion === '' ? { limit: String(PAGE) } : { resourceVersion: this.#lastVersion };
    let more = '';
    let version = '';
    do {
      const page = (await client.getJson(
        path,
        { ...query, ...from, ...(more && { limit: String(PAGE), continue: more }) },
        signal,
      )) as ListPage;
      items.push(...(page.items ?? []));
      more = page.metadata?.continue ?? '';
      version = page.metadata?.resourceVersion ?? '';
    } while (more !== '');
    mirror.replace(this.#resource, items);
    this.#version = this.#lastVersion = version;
    this.#works();
    this.#synced();
  }

  #synced(): void {
    if (this.#isSynced) return;
    this.#isSynced = true;
    this.#options.onSynced();
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { client, stallMs = STALL_MS } = this.#options;
    const { path, query } = this.#resource;
    const timeoutSeconds = Math.round(WATCH_S.min + Math.random() * (WATCH_S.max - WATCH_S.min));
    const stall = new AbortController();
    const answer = await client.get(
      path,
      {
        ...query,
        watch: 'true',
        allowWatchBookmarks: 'true',
        resourceVersion: this.#version,
        timeoutSeconds: String(timeoutSeconds),
      },
      AbortSignal.any([signal, stall.signal]),
    );
    this.#works();
    const timer = setTimeout(() => {
      stall.abort();
      answer.destroy(new Error(`the watch was silent for ${stallMs / 1000} s`));
    }, stallMs);
    try {
      for await (const line of linesOf(answer)) {
        timer.refresh();
        this.#take(JSON.parse(line) as WatchEvent);
      }
    } finally {
      clearTimeout(timer);
      answer.destroy();
    }
  }

  #take({ type, object }: WatchEvent): void {
    const { mirror } = this.#options;
    if (type === 'ERROR') throw new ApiStatusError(object.code ?? 0, object.message ?? 'the watch ended with an error');
    if (type === 'ADDED' || type === 'MODIFIED') mirror.upsert(this.#resource, object);
    if (type === 'DELETED') mirror.delete(object);
    const version = object.metadata?.resourceVersion;
    if (version) this.#version = this.#lastVersion = version;
  }
}

/** Lines of a body; a body that breaks off throws, whether or not the last line was whole. */
async function* linesOf(answer: IncomingMessage): AsyncGenerator<string> {
  let failure: Error | null = null;
  answer.on('error', (error) => {
    failure = error;
  });
  for await (const line of createInterface({ input: answer })) if (line !== '') yield line;
  if (failure) throw failure;
}
