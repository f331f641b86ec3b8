import { describe, expect, test } from 'vitest';
import type { DatapathReading } from '../../../src/metrics/datapath-metrics.ts';
import { Metrics } from '../../../src/metrics/metrics.ts';

function newMetrics(onReadError: (error: unknown) => void = () => undefined): Metrics {
  return new Metrics({ proxyMode: 'ebpf', version: '1.2.3', now: () => 1_700_000_000_500, onReadError });
}

/** The sample lines of one scrape, by 'name{labels}'. */
async function samples(metrics: Metrics): Promise<Map<string, number>> {
  const lines = (await metrics.registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
}

describe("kube-proxy's metrics", () => {
  test('a sync is measured for both families', async () => {
    const metrics = newMetrics();
    metrics.syncQueued();
    metrics.syncCompleted(3, true);
    const found = await samples(metrics);
    for (const family of ['IPv4', 'IPv6']) {
      expect(found.get(`kubeproxy_sync_proxy_rules_duration_seconds_bucket{le="0.002",ip_family="${family}"}`)).toBe(0);
      expect(found.get(`kubeproxy_sync_proxy_rules_duration_seconds_bucket{le="0.004",ip_family="${family}"}`)).toBe(1);
      expect(found.get(`kubeproxy_sync_proxy_rules_duration_seconds_bucket{le="16.384",ip_family="${family}"}`)).toBe(1);
      expect(found.get(`kubeproxy_sync_proxy_rules_duration_seconds_sum{ip_family="${family}"}`)).toBeCloseTo(0.003, 9);
      expect(found.get(`kubeproxy_sync_proxy_rules_last_timestamp_seconds{ip_family="${family}"}`)).toBe(1_700_000_000.5);
      expect(found.get(`kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds{ip_family="${family}"}`)).toBe(1_700_000_000.5);
    }
    const buckets = [...found.keys()].filter(
      (key) => key.startsWith('kubeproxy_sync_proxy_rules_duration_seconds_bucket') && key.includes('IPv4'),
    );
    expect(buckets).toHaveLength(16); // 15 and +Inf
  });

  test('a failed sync is measured but is no success', async () => {
    const metrics = newMetrics();
    metrics.syncCompleted(3, false);
    const found = await samples(metrics);
    expect(found.get('kubeproxy_sync_proxy_rules_duration_seconds_count{ip_family="IPv6"}')).toBe(1);
    expect(found.has('kubeproxy_sync_proxy_rules_last_timestamp_seconds{ip_family="IPv6"}')).toBe(false);
  });

  test('changes, pending changes and probes are counted', async () => {
    const metrics = newMetrics();
    metrics.serviceChanged();
    metrics.endpointSliceChanged(4);
    metrics.setPendingChanges(1, 2);
    metrics.probed('healthz', 503);
    metrics.probed('livez', 200);
    metrics.setNoLocalEndpoints('external', 'IPv6', 5);
    const found = await samples(metrics);
    expect(found.get('kubeproxy_sync_proxy_rules_service_changes_total')).toBe(1);
    expect(found.get('kubeproxy_sync_proxy_rules_endpoint_changes_total')).toBe(4);
    expect(found.get('kubeproxy_sync_proxy_rules_service_changes_pending')).toBe(1);
    expect(found.get('kubeproxy_sync_proxy_rules_endpoint_changes_pending')).toBe(2);
    expect(found.get('kubeproxy_proxy_healthz_total{code="503"}')).toBe(1);
    expect(found.get('kubeproxy_proxy_livez_total{code="200"}')).toBe(1);
    expect(found.get('kubeproxy_sync_proxy_rules_no_local_endpoints_total{traffic_policy="external",ip_family="IPv6"}')).toBe(5);
  });

  test("network programming latency has kube-proxy's buckets", async () => {
    const metrics = newMetrics();
    metrics.networkProgrammed(61);
    const found = await samples(metrics);
    const name = 'kubeproxy_network_programming_duration_seconds_bucket';
    const bounds = [...found.keys()].filter((key) => key.startsWith(name)).map((key) => key.slice(name.length + 5, -2));
    expect(bounds.slice(0, 5)).toEqual(['0', '0.25', '0.5', '1', '2']);
    expect(bounds.slice(-9)).toEqual(['115', '120', '150', '180', '210', '240', '270', '300', '+Inf']);
    expect(found.get(`${name}{le="60"}`)).toBe(0);
    expect(found.get(`${name}{le="65"}`)).toBe(1);
  });
});

describe("Turnout's metrics", () => {
  const reading: DatapathReading = {
    events: { flow_created: 5 },
    drops: { no_snat_port: 2 },
    tables: { flows: { used: 7, size: 10 } },
    services: [],
  };

  test('the datapath is read once a scrape, and its values are those of that scrape', async () => {
    const metrics = newMetrics();
    let reads = 0;
    metrics.setDatapathReader(() => {
      reads += 1;
      return { ...reading, events: { flow_created: 5 * reads }, tables: { flows: { used: 6 + reads, size: 10 } } };
    });
    for (const scrape of [1, 2]) {
      const found = await samples(metrics);
      expect(reads).toBe(scrape);
      expect(found.get('turnout_datapath_events_total{event="flow_created"}')).toBe(5 * scrape);
      expect(found.get('turnout_datapath_drops_total{reason="no_snat_port"}')).toBe(2);
      expect(found.get('turnout_table_rows{table="flows"}')).toBe(6 + scrape);
      expect(found.get('turnout_table_size{table="flows"}')).toBe(10);
    }
  });

  test('each Service port has its series, both families in one, and loses them when it goes', async () => {
    const metrics = newMetrics();
    const counts = { connections: 3, active: 1, packets: 20, bytes: 1500, rejects: 4, drops: 5 };
    const web = { namespace: 'default', service: 'web', port: 'http', ...counts };
    metrics.setDatapathReader(() => ({
      ...reading,
      services: [web, { ...web, connections: 10, active: 2 }, { ...web, port: '53' }],
    }));
    const found = await samples(metrics);
    const labels = '{namespace="default",service="web",port="http"}';
    expect(found.get(`turnout_service_connections_total${labels}`)).toBe(13);
    expect(found.get(`turnout_service_active${labels}`)).toBe(3);
    expect(found.get(`turnout_service_packets_total${labels}`)).toBe(40);
    expect(found.get(`turnout_service_bytes_total${labels}`)).toBe(3000);
    expect(found.get(`turnout_service_rejects_total${labels}`)).toBe(8);
    expect(found.get(`turnout_service_drops_total${labels}`)).toBe(10);
    expect(found.get('turnout_service_connections_total{namespace="default",service="web",port="53"}')).toBe(3);
    metrics.setDatapathReader(() => reading);
    expect((await samples(metrics)).has(`turnout_service_active${labels}`)).toBe(false);
  });

  test('what self-verification found is told with its labels, and goes when nothing tells of it', async () => {
    const metrics = newMetrics();
    const verification = {
      rounds: 3,
      lastRound: { endedAt: '2026-11-21T08:15:00.000Z', durationMs: 1500 },
      tables: [{ name: 'frontends', rowsCompared: 90, missing: 1, differs: 2, unexpected: 0, failures: 1 }],
      canaries: [
        { hook: 'connect4', state: 'failed' as const, runs: 4, failures: 2 },
        { hook: 'tc_ingress', state: 'unproven' as const, runs: 0, failures: 0 },
      ],
      blindSpots: [{ kind: 'vrf', count: 2 }],
      refused: { servicePorts: [{}] },
    };
    metrics.setDatapathReader(() => ({ ...reading, verification }));
    for (let scrape = 0; scrape < 2; scrape++) {
      const found = await samples(metrics);
      expect(found.get('turnout_verify_rounds_total')).toBe(3);
      expect(found.get('turnout_verify_rows_total{table="frontends"}')).toBe(90);
      expect(found.get('turnout_verify_last_round_duration_seconds')).toBe(1.5);
      expect(found.get('turnout_drift_total{table="frontends",kind="differs"}')).toBe(2);
      expect(found.get('turnout_drift_repair_failures_total{table="frontends"}')).toBe(1);
      expect(found.get('turnout_canary_failures_total{hook="connect4"}')).toBe(2);
      expect(found.get('turnout_canary_up{hook="connect4"}')).toBe(0);
      expect(found.has('turnout_canary_up{hook="tc_ingress"}')).toBe(false);
      expect(found.get('turnout_blind_spot{kind="vrf"}')).toBe(2);
      expect(found.get('turnout_service_ports_refused')).toBe(1);
    }
    metrics.setDatapathReader(() => reading);
    expect((await samples(metrics)).has('turnout_blind_spot{kind="vrf"}')).toBe(false);
  });

  test('a datapath that cannot be read costs its own metrics only, and is told and counted', async () => {
    const errors: unknown[] = [];
    const metrics = newMetrics((error) => void errors.push(error));
    metrics.setDatapathReader(() => reading);
    await samples(metrics);
    metrics.setDatapathReader(() => {
      throw new Error('map is closed');
    });
    const found = await samples(metrics);
    expect(errors).toEqual([new Error('map is closed')]);
    expect(found.has('turnout_datapath_events_total{event="flow_created"}')).toBe(false);
    expect(found.get('turnout_datapath_read_errors_total')).toBe(1);
    expect(found.get('kubeproxy_sync_proxy_rules_service_changes_total')).toBe(0);
  });

  test('the build and the process are described', async () => {
    const found = await samples(newMetrics());
    expect(found.get(`turnout_build_info{version="1.2.3",proxy_mode="ebpf",node_version="${process.version}"}`)).toBe(1);
    expect(found.get('process_resident_memory_bytes')).toBeGreaterThan(0);
  });
});
