// HTTP to the API server. Kubeconfig, in-cluster credentials, exec plug-ins, proxies and TLS are @kubernetes/client-node's.
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { type RequestOptions, request as requestHttps } from 'node:https';
import { KubeConfig } from '@kubernetes/client-node';
import { TurnoutError } from '../errors.ts';
import { RateLimiter } from './rate-limiter.ts';

/** Until the server begins to answer. */
const ANSWER_MS = 30_000;
/** So that a peer that vanished is noticed while nothing is sent. */
const KEEP_ALIVE_MS = 30_000;
/** Longest part of an answer that ends up in an error message. */
const MESSAGE_OCTETS = 4096;

export interface ApiClientOptions {
  readonly kubeconfig: string; // path; '' : none
  readonly master: string; // URL that replaces the kubeconfig's server; '' : none. With neither: in-cluster
  readonly qps: number; // 0: client-go's default of 5; below 0: no limit
  readonly burst: number;
}

/** The server answered, but not with success. */
export class ApiStatusError extends Error {
  readonly status: number; // HTTP status code
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export class ApiClient {
  readonly server: string; // URL
  readonly #config: KubeConfig;
  readonly #limiter: RateLimiter;

  /** Throws TurnoutError BAD_KUBECONFIG. Connects to nothing yet. */
  constructor(options: ApiClientOptions) {
    this.#config = loadKubeConfig(options);
    this.server = (this.#config.getCurrentCluster()?.server ?? '').replace(/\/+$/, '');
    this.#limiter = new RateLimiter(options.qps === 0 ? 5 : options.qps, options.burst);
  }

  /**
   * GET; resolves with a successful answer whose body is still to be read. Throws ApiStatusError for any status but 200, and
   * what node:http throws when there is no answer. `signal` also ends the reading of the body.
   */
  async get(path: string, query: Readonly<Record<string, string>>, signal: AbortSignal): Promise<IncomingMessage> {
    await this.#limiter.take(signal);
    const url = new URL(`${this.server}${path}?${new URLSearchParams(query)}`);
    const options: RequestOptions = { method: 'GET', headers: { accept: 'application/json' }, signal };
    await this.#config.applyToHTTPSOptions(options);
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, options, resolve);
      request.setTimeout(ANSWER_MS, () => request.destroy(new Error(`no answer within ${ANSWER_MS / 1000} s`)));
      request.on('error', reject);
      request.end();
    });
    answer.socket.setTimeout(0);
    answer.socket.setKeepAlive(true, KEEP_ALIVE_MS);
    if (answer.statusCode === 200) return answer;
    throw new ApiStatusError(answer.statusCode ?? 0, await statusMessage(answer));
  }

  /** GET of one JSON document. */
  async getJson(path: string, query: Readonly<Record<string, string>>, signal: AbortSignal): Promise<unknown> {
    const answer = await this.get(path, query, signal);
    const parts: Buffer[] = [];
    answer.setTimeout(ANSWER_MS, () => answer.destroy(new Error(`the answer stopped for ${ANSWER_MS / 1000} s`)));
    for await (const part of answer) parts.push(part as Buffer);
    return JSON.parse(Buffer.concat(parts).toString());
  }
}

function loadKubeConfig({ kubeconfig, master }: ApiClientOptions): KubeConfig {
  const config = new KubeConfig();
  try {
    if (kubeconfig !== '') config.loadFromFile(kubeconfig);
    else if (master === '') config.loadFromCluster();
  } catch (error) {
    const where = kubeconfig === '' ? 'the in-cluster credentials' : `the kubeconfig ${kubeconfig}`;
    throw new TurnoutError('BAD_KUBECONFIG', `cannot read ${where}: ${(error as Error).message}`, {
      hint: 'name a kubeconfig with --kubeconfig, an API server with --master, or a folder of objects with --manifests',
    });
  }
  if (master !== '') useServer(config, master.includes('://') ? master : `http://${master}`);
  // Plain HTTP has no certificate to verify; client-node wants to be told so.
  config.clusters = config.clusters.map((one) => (one.server.startsWith('http:') ? { ...one, skipTLSVerify: true } : one));
  if (!config.getCurrentCluster()?.server) {
    throw new TurnoutError('BAD_KUBECONFIG', `the kubeconfig ${kubeconfig} has no server in its current context`, {
      hint: 'set current-context to a context whose cluster has a server, or name one with --master',
    });
  }
  return config;
}

/** Another server with the same credentials and trust. */
function useServer(config: KubeConfig, server: string): void {
  const cluster = config.getCurrentCluster();
  if (!cluster) return config.loadFromClusterAndUser({ name: 'master', server, skipTLSVerify: false }, { name: 'master' });
  config.clusters = config.clusters.map((one) => (one === cluster ? { ...one, server } : one));
}

/** The message of a Status object, or the beginning of whatever was sent. */
async function statusMessage(answer: IncomingMessage): Promise<string> {
  let text = '';
  try {
    for await (const part of answer) {
      text += (part as Buffer).toString();
      if (text.length > MESSAGE_OCTETS) break;
    }
    return (JSON.parse(text) as { message?: string }).message ?? text.slice(0, 200);
  } catch {
    return text.slice(0, 200) || (answer.statusMessage ?? '');
  } finally {
    answer.destroy();
  }
}
