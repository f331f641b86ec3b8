// An HTTP server that keeps trying to bind, as kube-proxy's health and metrics servers do.
import { createServer, type RequestListener, type Server } from 'node:http';
import { TurnoutError } from '../errors.ts';
import type { Logger } from '../log.ts';

export interface ListenerOptions {
  /** What is served, for messages: 'health', 'metrics'. */
  readonly name: string;
  /** 'ip:port' or '[ip]:port'; '' means do not serve. */
  readonly address: string;
  /** The flag that sets the address, named in the error. */
  readonly flag: string;
  /** Fail at the first refused bind instead of trying again. */
  readonly hardFail: boolean;
  readonly retryMs?: number;
  readonly logger: Logger;
  readonly handler: RequestListener;
}

const RETRY_MS = 5000;

/** Invariant: at most one server exists, and after close() none and no timer. */
export class RetryingListener {
  readonly #options: ListenerOptions;
  #server: Server | null = null;
  #timer: NodeJS.Timeout | null = null;
  #isClosed = false;

  constructor(options: ListenerOptions) {
    this.#options = options;
  }

  /** Resolves after the first attempt to bind; a refused bind is tried again every 5 s, or rejects with hardFail. */
  async start(): Promise<void> {
    if (this.#options.address === '') return;
    await this.#attempt(this.#options.hardFail);
  }

  /** The bound port, or 0 while not bound. */
  get port(): number {
    const address = this.#server?.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Stops serving at once. Closing twice is fine. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }

  async #attempt(hardFail: boolean): Promise<void> {
    const { name, address, flag, logger } = this.#options;
    try {
      const server = await listen(address, this.#options.handler);
      if (this.#isClosed) {
        server.close();
        return;
      }
      server.on('error', (error) => {
        logger.error(`The ${name} server failed; starting it again`, { address, err: error });
        server.close();
        this.#server = null;
        this.#retryLater();
      });
      this.#server = server;
      logger.verbose(2, `Serving ${name}`, { address });
    } catch (error) {
      const reason = bindReason(error);
      if (hardFail) {
        throw new TurnoutError('BIND_FAILED', `cannot serve ${name} on ${address}: ${reason}`, {
          hint: `free the address, choose another with ${flag}=IP:PORT, or leave out --bind-address-hard-fail to keep trying`,
          cause: error,
        });
      }
      logger.error(`Cannot serve ${name}; trying again`, {
        address,
        reason,
        retrySeconds: (this.#options.retryMs ?? RETRY_MS) / 1000,
        remedy: `free the address or choose another with ${flag}=IP:PORT`,
      });
      this.#retryLater();
    }
  }

  #retryLater(): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => void this.#attempt(false), this.#options.retryMs ?? RETRY_MS);
    // The proxy's own loop keeps the process alive; a refused bind must not keep it from ending.
    this.#timer.unref();
  }
}

/** Splits 'ip:port' and '[ip]:port'. Throws BAD_ADDRESS for anything else. */
export function splitHostPort(address: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(address);
  const port = Number(match?.[3]);
  if (match === null || port > 65535) {
    throw new TurnoutError('BAD_ADDRESS', `"${address}" is not an address with a port`, { hint: 'write IP:PORT or [IPv6]:PORT' });
  }
  return { host: match[1] ?? match[2] ?? '', port };
}

/** Go binds a wildcard of either family to both families; kube-proxy's users rely on that, so 0.0.0.0 also answers on IPv6. */
async function listen(address: string, handler: RequestListener): Promise<Server> {
  const { host, port } = splitHostPort(address);
  const isWildcard = host === '' || host === '0.0.0.0' || host === '::';
  if (!isWildcard) return listenOn(host, port, handler);
  try {
    return await listenOn('::', port, handler);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'EAFNOSUPPORT' && code !== 'EADDRNOTAVAIL') throw error; // only where the kernel has no IPv6
    return listenOn('0.0.0.0', port, handler);
  }
}

function listenOn(host: string, port: number, handler: RequestListener): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer(handler);
    server.once('error', reject);
    server.listen({ host, port, ipv6Only: false }, () => {
      server.off('error', reject);
      resolve(server);
    });
  });
}

function bindReason(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'EADDRINUSE') return 'another process already listens there';
  if (code === 'EADDRNOTAVAIL') return 'this machine does not have that address';
  if (code === 'EACCES') return 'no permission for that port';
  return (error as Error).message;
}
