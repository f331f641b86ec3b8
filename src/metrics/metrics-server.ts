// The metrics server: /metrics for Prometheus, /healthz and /proxyMode for people and kube-proxy's e2e tests.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { RetryingListener } from '../health/retrying-listener.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from './metrics.ts';

export interface MetricsServerOptions {
  /** 'ip:port'; '' : off. */
  readonly address: string;
  readonly hardFail: boolean;
  readonly metrics: Metrics;
  /** The mode in force, asked at each request, since a fallback may change it. */
  readonly proxyMode: () => string;
  readonly logger: Logger;
  readonly retryMs?: number;
}

const TEXT = 'text/plain; charset=utf-8';

export class MetricsServer {
  readonly #options: MetricsServerOptions;
  readonly #listener: RetryingListener;

  constructor(options: MetricsServerOptions) {
    this.#options = options;
    this.#listener = new RetryingListener({
      name: 'metrics',
      address: options.address,
      flag: '--metrics-bind-address',
      hardFail: options.hardFail,
      logger: options.logger,
      handler: (request, response) => void this.#answer(request, response),
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

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { registry } = this.#options.metrics;
    switch ((request.url ?? '').split('?', 1)[0]) {
      case '/metrics':
        try {
          reply(response, 200, registry.contentType, await registry.metrics());
        } catch (error) {
          this.#options.logger.error('Cannot collect metrics', { err: error });
          reply(response, 500, TEXT, 'cannot collect metrics, see the log\n');
        }
        return;
      case '/healthz':
      case '/healthz/ping':
        reply(response, 200, TEXT, 'ok');
        return;
      case '/proxyMode':
        reply(response, 200, TEXT, this.#options.proxyMode());
        return;
      default:
        reply(response, 404, TEXT, '404 page not found\n');
    }
  }
}

function reply(response: ServerResponse, statusCode: number, contentType: string, body: string): void {
  response.writeHead(statusCode, { 'Content-Type': contentType, 'X-Content-Type-Options': 'nosniff' });
  response.end(body);
}
