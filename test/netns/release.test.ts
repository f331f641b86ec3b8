// What a release ships, started from a folder that holds nothing else.
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster } from '../../lab/cluster.ts';
import { serve, serviceWithSlices } from '../../lab/service.ts';
import { CLUSTER_IPS, endpointOf, NODE_PORT, reach } from './traffic.ts';

const ROOT = join(import.meta.dirname, '../..');

describe('a release', () => {
  const folder = mkdtempSync(join(tmpdir(), 'turnout-release-'));
  const path = process.env['PATH'];
  let cluster: Cluster;

  beforeAll(() => {
    mkdirSync(join(folder, 'bin'));
    cpSync(join(ROOT, 'bin/turnout'), join(folder, 'bin/turnout'));
    cpSync(join(ROOT, 'dist'), join(folder, 'dist'), { recursive: true });
    process.env['PATH'] = `${dirname(process.execPath)}:${path}`;
  });
  afterAll(async () => {
    await cluster?.close();
    process.env['PATH'] = path;
    rmSync(folder, { recursive: true, force: true });
  });

  test('translates Services without the checkout it was made from', async () => {
    cluster = new Cluster({ nodes: 1, binary: join(folder, 'bin/turnout') });
    const node = cluster.node(1);
    const pod = node.addPod('web');
    await serve(pod);
    await cluster.start();
    const clusterIPs = Object.values(CLUSTER_IPS);
    await cluster.apply('web', serviceWithSlices({ name: 'web', clusterIPs, pods: [pod], nodePort: NODE_PORT }));
    const seen = await reach(cluster.client, node.ipv4, NODE_PORT, 'TCP', { count: 4 });
    expect([...seen.keys()]).toEqual([endpointOf(pod, 'IPv4')]);
    expect(node.turnout.run('--version')).toMatch(/^turnout \d+\.\d+\.\d+/i);
  });
});
