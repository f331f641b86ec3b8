// Objects from the API server.
import type { Logger } from '../log.ts';
import type { ResourceKind } from '../state/model.ts';
import type { ApiClient } from './api-client.ts';
import { ApiMirror } from './api-mirror.ts';
import { ApiReflector, type Pace } from './api-reflector.ts';
import { apiResources } from './api-resource.ts';
import type { Source, SourceListener } from './source.ts';

export class ApiSource implements Source {
  readonly #client: ApiClient;
  readonly #nodeName: string;
  readonly #logger: Logger;
  readonly #pace: Pace;

  constructor(client: ApiClient, nodeName: string, logger: Logger, pace: Pace = {}) {
    this.#pace = pace;
    this.#client = client;
    this.#nodeName = nodeName;
    this.#logger = logger;
  }

  async run(listener: SourceListener, signal: AbortSignal): Promise<void> {
    const missing = new Set<ResourceKind>();
    const reflectors = apiResources(this.#nodeName).map((resource) => {
      missing.add(resource.kind);
      return new ApiReflector({
        client: this.#client,
        resource,
        mirror: new ApiMirror(listener),
        logger: this.#logger,
        ...this.#pace,
        onSynced: () => {
          missing.delete(resource.kind);
          listener.synced(resource.kind);
        },
      });
    });
    this.#logger.info('Reading the API server', { server: this.#client.server, waitingFor: [...missing] });
    await Promise.all(reflectors.map((reflector) => reflector.run(signal)));
  }

  /** An object of the API needs no place: its kind and name find it. */
  whereIs(): string {
    return 'API server';
  }
}
