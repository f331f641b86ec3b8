// The Prometheus metrics: kube-proxy's names, labels, buckets and help texts, and Turnout's own under turnout_.
import { Counter, collectDefaultMetrics, exponentialBuckets, Gauge, Histogram, Registry } from 'prom-client';
import type { IpFamily } from '../state/model.ts';
import { type DatapathReading, registerDatapathMetrics } from './datapath-metrics.ts';

export interface MetricsOptions {
  /** The mode in force, for turnout_build_info: 'ebpf', 'fake'. */
  readonly proxyMode: string;
  readonly version: string;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  /** Told when reading the datapath fails during a scrape; the scrape itself goes on. */
  readonly onReadError?: (error: unknown) => void;
}

const FAMILIES: readonly IpFamily[] = ['IPv4', 'IPv6'];
const SYNC_BUCKETS = exponentialBuckets(0.001, 2, 15);

/** One instance a process; each has a registry of its own, so tests may make many. */
export class Metrics {
  readonly registry = new Registry();
  readonly #now: () => number;
  readonly #syncDuration: Histogram<'ip_family'>;
  readonly #lastSync: Gauge<'ip_family'>;
  readonly #lastQueued: Gauge<'ip_family'>;
  readonly #networkProgramming: Histogram;
  readonly #serviceChanges: Counter;
  readonly #endpointChanges: Counter;
  readonly #servicesPending: Gauge;
  readonly #endpointsPending: Gauge;
  readonly #noLocalEndpoints: Gauge<'traffic_policy' | 'ip_family'>;
  readonly #probes: Readonly<Record<'healthz' | 'livez', Counter<'code'>>>;
  #readDatapath: (() => DatapathReading) | null = null;

  constructor(options: MetricsOptions) {
    this.#now = options.now ?? Date.now;
    const registers = [this.registry];
    const byFamily = { labelNames: ['ip_family'] as const, registers };
    this.#syncDuration = new Histogram({
      name: 'kubeproxy_sync_proxy_rules_duration_seconds',
      help: 'SyncProxyRules latency in seconds',
      buckets: SYNC_BUCKETS,
      ...byFamily,
    });
    this.#lastSync = new Gauge({
      name: 'kubeproxy_sync_proxy_rules_last_timestamp_seconds',
      help: 'The last time proxy rules were successfully synced',
      ...byFamily,
    });
    this.#lastQueued = new Gauge({
      name: 'kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds',
      help: 'The last time a sync of proxy rules was queued',
      ...byFamily,
    });
    this.#networkProgramming = new Histogram({
      name: 'kubeproxy_network_programming_duration_seconds',
      help: 'In Cluster Network Programming Latency in seconds',
      buckets: networkProgrammingBuckets(),
      registers,
    });
    this.#serviceChanges = new Counter({
      name: 'kubeproxy_sync_proxy_rules_service_changes_total',
      help: 'Cumulative proxy rules Service changes',
      registers,
    });
    this.#endpointChanges = new Counter({
      name: 'kubeproxy_sync_proxy_rules_endpoint_changes_total',
      help: 'Cumulative proxy rules Endpoint changes',
      registers,
    });
    this.#servicesPending = new Gauge({
      name: 'kubeproxy_sync_proxy_rules_service_changes_pending',
      help: 'Pending proxy rules Service changes',
      registers,
    });
    this.#endpointsPending = new Gauge({
      name: 'kubeproxy_sync_proxy_rules_endpoint_changes_pending',
      help: 'Pending proxy rules Endpoint changes',
      registers,
    });
    this.#noLocalEndpoints = new Gauge({
      name: 'kubeproxy_sync_proxy_rules_no_local_endpoints_total',
      help: 'Number of services with a Local traffic policy and no endpoints',
      labelNames: ['traffic_policy', 'ip_family'] as const,
      registers,
    });
    const probe = (endpoint: string): Counter<'code'> =>
      new Counter({
        name: `kubeproxy_proxy_${endpoint}_total`,
        help: `Cumulative proxy ${endpoint} HTTP status`,
        labelNames: ['code'] as const,
        registers,
      });
    this.#probes = { healthz: probe('healthz'), livez: probe('livez') };
    new Gauge({
      name: 'turnout_build_info',
      help: 'Constant 1; the labels tell what runs',
      labelNames: ['version', 'proxy_mode', 'node_version'] as const,
      registers,
    }).set({ version: options.version, proxy_mode: options.proxyMode, node_version: process.version }, 1);
    registerDatapathMetrics(this.registry, () => this.#readDatapath?.() ?? null, options.onReadError ?? (() => undefined));
    collectDefaultMetrics({ register: this.registry });
  }

  /** Where turnout_datapath_* and turnout_table_* come from; called at each scrape, may throw. */
  setDatapathReader(read: () => DatapathReading): void {
    this.#readDatapath = read;
  }

  /** A sync was asked for (each time, and once when the loop starts). */
  syncQueued(): void {
    for (const ip_family of FAMILIES) this.#lastQueued.set({ ip_family }, this.#now() / 1000);
  }

  /** A sync ended. Turnout programs both families in one pass, so both get the same duration. */
  syncCompleted(durationMs: number, succeeded: boolean): void {
    for (const ip_family of FAMILIES) {
      this.#syncDuration.observe({ ip_family }, durationMs / 1000);
      if (succeeded) this.#lastSync.set({ ip_family }, this.#now() / 1000);
    }
  }

  /** `count` Service objects arrived, changed or went away. */
  serviceChanged(count = 1): void {
    this.#serviceChanges.inc(count);
  }

  /** `count` EndpointSlice objects arrived, changed or went away. */
  endpointSliceChanged(count = 1): void {
    this.#endpointChanges.inc(count);
  }

  /** Changes seen but not yet programmed. */
  setPendingChanges(services: number, endpointSlices: number): void {
    this.#servicesPending.set(services);
    this.#endpointsPending.set(endpointSlices);
  }

  /** Time from an endpoint's change in the cluster until it was programmed. */
  networkProgrammed(seconds: number): void {
    this.#networkProgramming.observe(seconds);
  }

  /** Service ports whose Local policy finds no endpoint on this node while others exist. */
  setNoLocalEndpoints(trafficPolicy: 'internal' | 'external', family: IpFamily, count: number): void {
    this.#noLocalEndpoints.set({ traffic_policy: trafficPolicy, ip_family: family }, count);
  }

  /** A health probe was answered; fits HealthServerOptions.onProbe. */
  probed(endpoint: 'healthz' | 'livez', statusCode: number): void {
    this.#probes[endpoint].inc({ code: String(statusCode) });
  }
}

/** kube-proxy's buckets, the leading 0 included. */
function networkProgrammingBuckets(): number[] {
  const buckets = [0, 0.25, 0.5];
  for (let second = 1; second < 60; second += 1) buckets.push(second);
  for (let second = 60; second < 120; second += 5) buckets.push(second);
  for (let second = 120; second <= 300; second += 30) buckets.push(second);
  return buckets;
}
