// Where objects come from, as the configuration says: a folder of manifests, or the API server.
import { ManifestsSource } from './cluster/manifests-source.ts';
import type { Source } from './cluster/source.ts';
import type { Config } from './config/config.ts';
import type { Logger } from './log.ts';

/** Throws TurnoutError BAD_KUBECONFIG. */
export async function makeSource(config: Config, logger: Logger): Promise<Source> {
  if (config.manifests !== '') return new ManifestsSource(config.manifests);
  // Loaded only where it is needed: its packages take longer to load than everything else together.
  const { ApiClient } = await import('./cluster/api-client.ts');
  const { ApiSource } = await import('./cluster/api-source.ts');
  return new ApiSource(new ApiClient(config.apiServer), config.nodeName, logger);
}
