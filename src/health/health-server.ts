// /healthz and /livez with kube-proxy's bodies and status codes.
import type { RequestListener, ServerResponse } from 'node:http';
import type { Logger } from '../log.ts';
import type { IpFamily } from '../state/model.ts';
import { type HealthSnapshot, ProxyHealth } from './proxy-health.ts';
import { RetryingListener } from './retrying-listener.ts';

export interface HealthServerOptions {
  /** 'ip:port'; '' : nothing is served, but health is still tracked. */
  readonly address: string;
  readonly hardFail: boolean;
  readonly syncPeriodMs: number;
  readonly logger: Logger;
  /** Eligibility before the first setNodeEligible(); see isNodeEligible() in node-eligibility.ts. */
  readonly nodeEligible: boolean;
  /** Called once for each answer; feeds kubeproxy_proxy_healthz_total and kubeproxy_proxy_livez_total. */
  readonly onProbe?: (endpoint: 'healthz' | 'livez', statusCode: number) => void;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  readonly retryMs?: number;
}

/** /livez tells whether the datapath keeps up; /healthz also whether the node should get traffic. */
export class HealthServer {
  readonly #health: ProxyHealth;
  readonly #listener: RetryingListener;
  readonly #onProbe: (endpoint: 'healthz' | 'livez', statusCode: number) => void;
  #nodeEligible: boolean;

  constructor(options: HealthServerOptions) {
    this.#health = new ProxyHealth(options.syncPeriodMs, options.now ?? Date.now);
    this.#nodeEligible = options.nodeEligible;
    this.#onProbe = options.onProbe ?? (() => undefined);
    this.#listener = new RetryingListener({
      name: 'health',
      address: options.address,
      flag: '--healthz-bind-address',
      hardFail: options.hardFail,
      logger: options.logger,
      handler: this.#handler,
      ...(options.retryMs === undefined ? {} : { retryMs: options.retryMs }),
    });
  }

  /** Binds and serves until close(). Rejects only with hardFail, when the address cannot be bound. */
  start(): Promise<void> {
    return this.#listener.start();
  }

  /** The bound port, or 0 while not bound. */
  get port(): number {
    return this.#listener.port;
  }

  close(): Promise<void> {
    return this.#listener.close();
  }

  /** A change of this family was queued for programming. */
  queuedUpdate(family: IpFamily): void {
    this.#health.queuedUpdate(family);
  }

  /** Everything queued for this family so far is programmed. */
  updated(family: IpFamily): void {
    this.#health.updated(family);
  }

  setNodeEligible(isEligible: boolean): void {
    this.#nodeEligible = isEligible;
  }

  /** Claims whether the datapath keeps up, node eligibility left aside. */
  isHealthy(): boolean {
    return this.#health.snapshot().healthy;
  }

  readonly #handler: RequestListener = (request, response) => {
    const path = (request.url ?? '').split('?', 1)[0];
    if (path !== '/healthz' && path !== '/livez') {
      response.writeHead(404, { 'Content-Type': 'text/plain; charset=utf-8', 'X-Content-Type-Options': 'nosniff' });
      response.end('404 page not found\n');
      return;
    }
    const snapshot = this.#health.snapshot();
    const endpoint = path === '/healthz' ? 'healthz' : 'livez';
    const isOk = snapshot.healthy && (endpoint === 'livez' || this.#nodeEligible);
    const statusCode = isOk ? 200 : 503;
    this.#onProbe(endpoint, statusCode);
    answer(response, statusCode, body(snapshot, endpoint === 'healthz' ? this.#nodeEligible : null, isOk));
  };
}

/** kube-proxy's JSON (1.34 and later): one line, no newline at its end. */
function body(snapshot: HealthSnapshot, nodeEligible: boolean | null, isOk: boolean): string {
  const status: Record<string, unknown> = {};
  for (const family of [...snapshot.families.keys()].sort()) {
    const health = snapshot.families.get(family);
    if (health !== undefined) status[family] = { lastUpdated: timeText(health.lastUpdatedMs), healthy: health.healthy };
  }
  return JSON.stringify({
    lastUpdated: timeText(isOk ? snapshot.nowMs : snapshot.lastUpdatedMs),
    currentTime: timeText(snapshot.nowMs),
    ...(nodeEligible === null ? {} : { nodeEligible }),
    healthy: snapshot.healthy,
    status,
  });
}

/** RFC 3339 as Go prints it; Go's zero time where nothing ever happened. */
function timeText(timeMs: number): string {
  return timeMs === 0 ? '0001-01-01T00:00:00Z' : new Date(timeMs).toISOString();
}

function answer(response: ServerResponse, statusCode: number, text: string): void {
  response.writeHead(statusCode, { 'Content-Type': 'application/json', 'X-Content-Type-Options': 'nosniff' });
  response.end(text);
}
