// What a running turnout says about itself: HTTP for probes and scrapes, tables and JSON for people and programs.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster, type ClusterNode, type Pod } from '../../lab/cluster.ts';
import { serve, serviceWithSlices } from '../../lab/service.ts';
import { CLUSTER_IPS, NODE_PORT, reach } from './traffic.ts';

interface ServiceRow {
  readonly namespace: string;
  readonly name: string;
  readonly port: number;
  readonly protocol: string;
  readonly endpoints: unknown[];
}

describe('a running turnout', () => {
  let cluster: Cluster;
  let node1: ClusterNode;
  let pod: Pod;

  beforeAll(async () => {
    cluster = new Cluster({ nodes: 1 });
    node1 = cluster.node(1);
    pod = node1.addPod('web');
    await serve(pod);
    await cluster.start();
    const clusterIPs = Object.values(CLUSTER_IPS);
    await cluster.apply('web', serviceWithSlices({ name: 'web', clusterIPs, pods: [pod], nodePort: NODE_PORT }));
  });
  afterAll(() => cluster?.close());

  /** Status line and body, asked for in the node's namespace. */
  function get(url: string): { status: number; body: string } {
    const script = `fetch('${url}').then(async (r) => console.log(JSON.stringify({ status: r.status, body: await r.text() })))`;
    return JSON.parse(node1.namespace.run(process.execPath, '-e', script)) as { status: number; body: string };
  }

  test.each(['healthz', 'livez'])('/%s is 200 with the time of the last update', (endpoint) => {
    const { status, body } = get(`http://127.0.0.1:10256/${endpoint}`);
    expect(status).toBe(200);
    expect(Date.parse((JSON.parse(body) as { lastUpdated: string }).lastUpdated)).toBeGreaterThan(0);
  });

  test('the sync metrics are there for both families', () => {
    const { status, body } = get('http://127.0.0.1:10249/metrics');
    expect(status).toBe(200);
    for (const name of [
      'kubeproxy_sync_proxy_rules_duration_seconds_count',
      'kubeproxy_sync_proxy_rules_last_timestamp_seconds',
      'kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds',
    ]) {
      for (const family of FAMILY_LABELS)
        expect(sampleOf(body, name, `ip_family="${family}"`), `${name} ${family}`).toBeGreaterThan(0);
    }
  });

  test('connections are counted where they were translated', async () => {
    const flows = (): number =>
      sampleOf(get('http://127.0.0.1:10249/metrics').body, 'turnout_datapath_events_total', 'event="flow_new"');
    const before = flows();
    await reach(cluster.client, node1.ipv4, NODE_PORT, 'TCP', { count: 7 });
    expect(flows() - before).toBe(7);
  });

  test('/proxyMode says ebpf', () => {
    expect(get('http://127.0.0.1:10249/proxyMode')).toEqual({ status: 200, body: 'ebpf' });
  });

  test('services lists what is in force, as a table and as JSON', () => {
    const rows = JSON.parse(node1.turnout.run('services', '--output=json')) as ServiceRow[];
    const web = rows.filter(({ namespace, name }) => namespace === 'default' && name === 'web');
    // A ClusterIP and a node port, for each family and protocol.
    expect(web).toHaveLength(8);
    for (const { endpoints } of web) expect(endpoints).toHaveLength(1);
    const table = node1.turnout.run('services', '--namespace=default');
    expect(table).toMatch(/default\/web +tcp +ClusterIP +10\.96\.0\.10:80\/TCP/);
    expect(table).not.toContain('marker');
  });

  test('services writes all of a long list into a pipe', async () => {
    const many = Array.from({ length: 400 }, (_, i) => {
      const clusterIPs = [`10.97.${i >> 8}.${i & 255}`, `fd00:10:97::${i.toString(16)}`];
      return serviceWithSlices({ name: `many-${i}`, clusterIPs, pods: [] });
    });
    await cluster.apply('many', many.flat());
    const rows = JSON.parse(node1.turnout.run('services', '--output=json')) as ServiceRow[];
    expect(rows.filter(({ name }) => name.startsWith('many-'))).toHaveLength(400 * 4);
    await cluster.apply('many', []);
  });

  test('status names the process, the hooks and the tables', () => {
    const status = node1.turnout.run('status');
    expect(status).toMatch(/Process: +running, pid \d+/);
    expect(status).toMatch(/eth0 +tcx +egress, ingress/);
    expect(status).toContain('connect4');
  });
});

const FAMILY_LABELS = ['IPv4', 'IPv6'] as const;

/** The value of the first sample of a metric whose labels contain `label`; NaN when there is none. */
function sampleOf(text: string, metric: string, label: string): number {
  const sample = text.split('\n').find((line) => line.startsWith(`${metric}{`) && line.includes(label));
  return Number(sample?.split(' ').at(-1) ?? Number.NaN);
}
