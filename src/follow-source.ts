// What a source tells goes into the state; the loop, health and metrics hear that something changed.
import type { Source, SourceListener } from './cluster/source.ts';
import type { Config } from './config/config.ts';
import type { HealthServer } from './health/health-server.ts';
import { isNodeEligible } from './health/node-eligibility.ts';
import type { Logger } from './log.ts';
import type { SyncLoop } from './loop.ts';
import type { Metrics } from './metrics/metrics.ts';
import type { ClusterState } from './state/cluster-state.ts';
import type { ResourceKind } from './state/model.ts';

/** Nothing is programmed before these are completely known. Without its Node a proxy does not know which endpoints are near. */
const NEEDED: readonly ResourceKind[] = ['Service', 'EndpointSlice', 'Node'];

export interface Followers {
  readonly config: Config;
  readonly state: ClusterState;
  readonly loop: SyncLoop;
  readonly health: HealthServer;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

export interface Following {
  /** Ends when the signal aborts. */
  readonly ended: Promise<void>;
  /** Resolves when this node's podCIDRs are known. */
  readonly podCIDRsKnown: Promise<void>;
}

/** Starts the source. Events of one turn of the event loop are one request to the loop. */
export function followSource(source: Source, followers: Followers, signal: AbortSignal): Following {
  const { state, loop, health, metrics, logger } = followers;
  const from = followers.config.manifests === '' ? 'api-server' : 'manifests';
  const missing = new Set(NEEDED);
  let isScheduled = false;
  let resolveNode = (): void => {};
  const podCIDRsKnown = new Promise<void>((resolve) => {
    resolveNode = resolve;
  });
  const settle = (): void => {
    isScheduled = false;
    if (state.hasChanges) loop.request();
    for (const { waiting, field, message } of state.takeConflicts()) {
      const [namespace = '', name = ''] = waiting.split('/');
      const where = source.whereIs({ kind: 'Service', namespace, name });
      logger.warn(OBJECT_FAULT, { where, object: `Service ${waiting}`, field, message });
    }
    const { node } = state.desired();
    health.setNodeEligible(isNodeEligible(node, from));
    if (node && node.podCIDRs.length > 0) resolveNode();
  };
  const changed = (kind: ResourceKind): void => {
    if (kind === 'Service') metrics.serviceChanged();
    if (kind === 'EndpointSlice') metrics.endpointSliceChanged();
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(settle);
  };
  const listener: SourceListener = {
    upsert: (object) => {
      state.upsert(object);
      changed(object.kind);
    },
    delete: ({ kind, namespace, name }) => {
      state.delete(kind, namespace, name);
      changed(kind);
    },
    synced: (kind) => {
      if (missing.delete(kind) && missing.size === 0) loop.ready();
    },
    warn: ({ where, object, field, message }) => logger.warn(OBJECT_FAULT, { where, object, field, message }),
  };
  return { ended: source.run(listener, signal), podCIDRsKnown };
}

const OBJECT_FAULT = 'Something is wrong with an object';
