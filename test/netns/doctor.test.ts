// `turnout doctor` on a node with real faults: what it finds, and that it finds no problem before and exits accordingly.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster, type ClusterNode, type Pod } from '../../lab/cluster.ts';
import { serviceWithSlices } from '../../lab/service.ts';
import type { Finding } from '../../src/cli/doctor-report.ts';
import { BpfLink } from '../../src/native/bpf-link.ts';

const BINARY = join(import.meta.dirname, '../../bin/turnout');

describe('doctor', () => {
  let cluster: Cluster;
  let node: ClusterNode;
  let pod: Pod;

  beforeAll(async () => {
    cluster = new Cluster({ nodes: 1 });
    node = cluster.node(1);
    pod = node.addPod('web');
    await cluster.start();
    await cluster.apply('web', serviceWithSlices({ name: 'web', clusterIPs: ['10.96.0.10', 'fd00:10:96::10'], pods: [pod] }));
  });
  afterAll(() => cluster?.close());

  function doctor(...flags: string[]): { readonly status: number | null; readonly findings: readonly Finding[] } {
    const args = [`--net=${node.namespace.path}`, BINARY, 'doctor', ...node.turnout.place, '--output=json', ...flags];
    const { status, stdout } = spawnSync('nsenter', args, { encoding: 'utf8' });
    return { status, findings: JSON.parse(stdout) as Finding[] };
  }
  const problems = (findings: readonly Finding[]): string[] =>
    findings.flatMap(({ severity, check }) => (severity === 'problem' ? [check] : []));

  test('finds no problem on a node that has none, and exits with 0', () => {
    const { status, findings } = doctor();
    expect([problems(findings), status]).toEqual([[], 0]);
    for (const check of ['process', 'hooks', 'socket-hooks', 'forward-chain', 'forwarding']) {
      expect(findings.find((finding) => finding.check === check)).toMatchObject({ severity: 'ok' });
    }
  });

  test('a Service without endpoints is a warning; asked for by name it is a problem, and the exit status 1', async () => {
    await cluster.apply('none', serviceWithSlices({ name: 'none', clusterIPs: ['10.96.0.12', 'fd00:10:96::12'], pods: [] }));
    const all = doctor();
    expect(all.findings).toContainEqual(expect.objectContaining({ check: 'endpoints', severity: 'warning' }));
    const one = doctor('--service=default/none');
    expect(one.findings).toContainEqual(expect.objectContaining({ check: 'endpoints', severity: 'problem' }));
    expect([all.status, one.status]).toEqual([0, 1]);
    expect(problems(doctor('--service=default/web').findings)).toEqual([]);
    expect(problems(doctor('--service=default/absent').findings)).toEqual(['service-programmed']);
  });

  test('a FORWARD chain that was flushed and set to DROP is named, and so is a rule that drops first', () => {
    const chain = (...args: string[]): string => node.namespace.run('iptables', ...args);
    chain('-P', 'FORWARD', 'DROP');
    expect(problems(doctor().findings)).toEqual([]);
    chain('-I', 'FORWARD', '-j', 'DROP');
    expect(doctor().findings).toContainEqual(expect.objectContaining({ check: 'forward-chain', evidence: '-A FORWARD -j DROP' }));
    chain('-F', 'FORWARD');
    const { status, findings } = doctor();
    expect(findings).toContainEqual(
      expect.objectContaining({ check: 'forward-chain', evidence: expect.stringContaining('-P FORWARD DROP') }),
    );
    expect([problems(findings), status]).toEqual([['forward-chain'], 1]);
    chain('-P', 'FORWARD', 'ACCEPT');
  });

  test('a link that somebody detached is named with its device', () => {
    const root = join(node.turnout.bpffs, 'turnout');
    const [netns = ''] = readdirSync(root);
    const [layout = ''] = readdirSync(join(root, netns));
    const ifindex = Number(/^(\d+):/.exec(node.namespace.run('ip', '-o', 'link', 'show', 'dev', 'eth0'))?.[1]);
    const link = BpfLink.openPinned(join(root, netns, layout, 'links', `tc_${ifindex}_ingress`));
    link.detach();
    link.close();
    const { status, findings } = doctor();
    const found = findings.find(({ check, severity }) => check === 'hooks' && severity === 'problem');
    expect(found).toMatchObject({
      evidence: `detached links: tc_${ifindex}_ingress`,
      sentence: expect.stringContaining('eth0 lacks'),
    });
    expect(status).toBe(1);
  });

  test('without its process the datapath carries on, which is a problem all the same', async () => {
    await node.turnout.stop('SIGKILL');
    const { findings } = doctor();
    expect(findings).toContainEqual(expect.objectContaining({ check: 'process', severity: 'problem' }));
    expect(node.turnout.run('status')).toContain('not running');
  });
});
