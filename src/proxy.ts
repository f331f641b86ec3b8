// The running proxy: source -> state -> loop -> backend, with health and metrics listening.
import { writeFileSync } from 'node:fs';
import { answerRequest } from './answer-request.ts';
import type { Backend } from './backend/backend.ts';
import type { Config } from './config/config.ts';
import { TurnoutError } from './errors.ts';
import { followSource } from './follow-source.ts';
import { HealthServer } from './health/health-server.ts';
import { isNodeEligible } from './health/node-eligibility.ts';
import { holdNode } from './instance.ts';
import type { Logger } from './log.ts';
import { SyncLoop } from './loop.ts';
import { makeSource } from './make-source.ts';
import { Metrics } from './metrics/metrics.ts';
import { MetricsServer } from './metrics/metrics-server.ts';
import { ClusterState } from './state/cluster-state.ts';
import { canonicalIp, ipFamilyOf } from './state/ip.ts';
import type { IpFamily } from './state/model.ts';

const FAMILIES: readonly IpFamily[] = ['IPv4', 'IPv6'];
const FULL_SYNC_PERIOD_MS = 3600 * 1000; // as kube-proxy's
const NODE_WAIT_MS = 5 * 60 * 1000; // as kube-proxy's wait for podCIDRs

export interface NodeFacts {
  readonly nodeIPs: readonly string[];
  readonly podCIDRs: readonly string[];
}

export interface ProxyOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly version: string;
  readonly facts: () => NodeFacts;
  readonly makeBackend: (facts: () => NodeFacts) => Backend;
}

/** Runs until the signal aborts. What is programmed stays in force. */
export async function runProxy(options: Omit<ProxyOptions, 'facts'>, signal: AbortSignal): Promise<void> {
  const { config, logger, version } = options;
  const state = new ClusterState(config.nodeName, { startedAtMs: Date.now() });
  const startedAt = new Date().toISOString();
  const backend = options.makeBackend(() => nodeFacts(config, state));
  const pid = process.pid;
  const instance = await holdNode(
    () => ({ pid, startedAt, version, proxyMode: backend.mode, pinFolder: backend.pinPath ?? '' }),
    (request) => answerRequest(request, backend, state),
  );
  const metrics = new Metrics({
    proxyMode: backend.mode,
    version,
    onReadError: (error) => logger.error('Reading counters failed', { err: error }),
  });
  const health = new HealthServer({
    address: config.healthzBindAddress,
    hardFail: config.bindAddressHardFail,
    syncPeriodMs: config.syncPeriodMs,
    logger,
    nodeEligible: isNodeEligible(null, config.manifests === '' ? 'api-server' : 'manifests'),
    onProbe: (endpoint, code) => metrics.probed(endpoint, code),
  });
  const metricsServer = new MetricsServer({
    address: config.metricsBindAddress,
    hardFail: config.bindAddressHardFail,
    metrics,
    proxyMode: () => backend.mode,
    logger,
  });
  const stop = new AbortController();
  signal.addEventListener('abort', () => stop.abort(), { once: true });
  try {
    adjustOomScore(config.oomScoreAdj, logger);
    const loop = makeLoop(options, backend, state, { health, metrics });
    await Promise.all([health.start(), metricsServer.start()]);
    const source = followSource(await makeSource(config, logger), { config, state, loop, health, metrics, logger }, stop.signal);
    if (config.detectLocalMode === 'NodeCIDR') await within(NODE_WAIT_MS, source.podCIDRsKnown, config.nodeName, stop.signal);
    const probe = await backend.probe();
    if (!probe.ok) throw new TurnoutError('EPROBE', `mode ${backend.mode} cannot run here: ${probe.reason}`);
    if (!stop.signal.aborted) {
      await backend.start();
      if (backend.reading) metrics.setDatapathReader(backend.reading.bind(backend));
      await Promise.all([loop.run(stop.signal), source.ended]);
    }
    logger.info('Stopping; what is programmed stays in force');
  } finally {
    stop.abort();
    await Promise.allSettled([backend.close(), health.close(), metricsServer.close()]);
    instance.close();
  }
}

function makeLoop(
  { config, logger }: Omit<ProxyOptions, 'facts'>,
  backend: Backend,
  state: ClusterState,
  { health, metrics }: { health: HealthServer; metrics: Metrics },
): SyncLoop {
  let isFirst = true;
  return new SyncLoop({
    backend,
    state,
    logger,
    minSyncPeriodMs: config.minSyncPeriodMs,
    retryMs: config.syncPeriodMs,
    fullSyncPeriodMs: FULL_SYNC_PERIOD_MS,
    listener: {
      queued: () => {
        metrics.syncQueued();
        for (const family of FAMILIES) health.queuedUpdate(family);
      },
      synced: (durationMs, report) => {
        metrics.syncCompleted(durationMs, true);
        metrics.setPendingChanges(0, 0);
        for (const family of FAMILIES) health.updated(family);
        if (isFirst)
          logger.info('Ready', { servicePorts: state.desired().servicePorts.size, written: report.servicePortsWritten });
        isFirst = false;
      },
      failed: (durationMs) => metrics.syncCompleted(durationMs, false),
    },
  });
}

/** The first address of each family, internal before external; --bind-address wins for its family. */
function nodeFacts(config: Config, state: ClusterState): NodeFacts {
  const { node } = state.desired();
  const listed = ['InternalIP', 'ExternalIP'].flatMap((type) => node?.addresses.filter((address) => address.type === type) ?? []);
  const bound = canonicalIp(config.bindAddress);
  const candidates = [bound, ...listed.map(({ address }) => canonicalIp(address))].filter(
    (address): address is string => address !== null && address !== '0.0.0.0' && address !== '::',
  );
  const nodeIPs = FAMILIES.flatMap((family) => candidates.find((address) => ipFamilyOf(address) === family) ?? []);
  return { nodeIPs, podCIDRs: node?.podCIDRs ?? [] };
}

async function within(ms: number, known: Promise<void>, nodeName: string, signal: AbortSignal): Promise<void> {
  const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((_, reject) => {
    timer = setTimeout(() => {
      const hint = `detectLocalMode NodeCIDR needs spec.podCIDRs of Node ${nodeName}`;
      reject(new TurnoutError('ENONODE', `timeout waiting for PodCIDR allocation of node "${nodeName}"`, { hint }));
    }, ms);
  });
  await Promise.race([known, aborted, late]).finally(() => clearTimeout(timer));
}

/** Best effort, as in kube-proxy: a container may not be allowed to. */
function adjustOomScore(score: number, logger: Logger): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', String(score));
  } catch (error) {
    logger.verbose(2, 'Cannot set oom_score_adj', { score, err: error });
  }
}
