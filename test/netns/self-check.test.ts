// Somebody else changes tables and detaches links of a running turnout: it notices, puts it right, counts it and says so.
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster, type ClusterNode, type Pod } from '../../lab/cluster.ts';
import { serve, serviceWithSlices } from '../../lab/service.ts';
import { until } from '../../lab/turnout.ts';
import { detachPinned } from '../../src/backend/ebpf/hooks.ts';
import { frontendKeyBytes } from '../../src/backend/ebpf/service-tables.ts';
import type { VerifyReport } from '../../src/cli/verify-table.ts';
import { addressOctets, addressText } from '../../src/datapath/address.ts';
import { u32Bytes, u64Bytes, viewOf } from '../../src/datapath/bytes.ts';
import {
  LB_BACKEND_SIZE,
  LB_BACKEND_STATE_SIZE,
  LB_DEVICE_SIZE,
  LB_FRONTEND_SIZE,
  LB_SERVICE_CIDR_KEY_SIZE,
  LB_SERVICE_NAME_SIZE,
  LB_SOURCE_RANGE_KEY_SIZE,
  readBackend,
  readFrontend,
  writeBackend,
  writeFrontend,
  writeServiceCidrKey,
  writeSourceRangeKey,
} from '../../src/datapath/layout.gen.ts';
import { BpfLink } from '../../src/native/bpf-link.ts';
import { BpfMap } from '../../src/native/bpf-map.ts';
import { unpin } from '../../src/native/system.ts';
import { CLUSTER_IPS, reach } from './traffic.ts';

type Told = VerifyReport & { readonly ok: boolean; readonly problems: readonly string[] };

const BINARY = join(import.meta.dirname, '../../bin/turnout');
const TABLES = [
  ...['frontends', 'backends', 'backend_states', 'addresses', 'service_cidrs', 'source_ranges', 'devices', 'host_aliases'],
  ...['excluded_cgroups', 'service_names'],
];
const TCP = 6;
const ON_REQUEST = '--ebpf-verify-period=0s';
const SERVICE_CIDR = '10.96.0.0/16';

describe('a running turnout', () => {
  let cluster: Cluster;
  let node1: ClusterNode;
  let pod: Pod;

  beforeAll(async () => {
    cluster = new Cluster({ nodes: 1, flags: [ON_REQUEST, '--v=2'] });
    node1 = cluster.node(1);
    pod = node1.addPod('web');
    await serve(pod);
    await cluster.start();
    await cluster.apply('web', [
      ...serviceWithSlices({
        ...{ name: 'web', clusterIPs: Object.values(CLUSTER_IPS), pods: [pod] },
        spec: { type: 'LoadBalancer', loadBalancerSourceRanges: ['192.168.50.0/24'], sessionAffinity: 'ClientIP' },
      }).map((object) =>
        object.kind === 'Service' ? { ...object, status: { loadBalancer: { ingress: [{ ip: '198.51.100.7' }] } } } : object,
      ),
      {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'ServiceCIDR',
        metadata: { name: 'kubernetes' },
        spec: { cidrs: [SERVICE_CIDR] },
      },
    ]);
  });
  afterAll(() => cluster?.close());
  const canaryPorts = (): number =>
    withMap('frontends', (map) => map.keys().filter((key) => addressText(key.subarray(0, 16)) === '::1').length);
  async function restart(...flags: string[]): Promise<void> {
    await node1.turnout.stop();
    expect(canaryPorts()).toBe(0); // they may be anybody's now
    await node1.turnout.start([...FLAGS, ...flags]);
    expect(canaryPorts()).toBe(2);
  }

  /** `turnout verify` on the node, and how it ended. */
  function verify(): Told & { readonly status: number | null } {
    const args = [`--net=${node1.namespace.path}`, BINARY, 'verify', '--output=json', ...node1.turnout.place];
    const { status, stdout, stderr } = spawnSync('nsenter', args, { encoding: 'utf8' });
    if (stdout === '') throw new Error(`turnout verify said nothing: ${stderr}`);
    return { status, ...(JSON.parse(stdout) as Told) };
  }

  const pin = (kind: 'maps' | 'links', name: string): string => {
    const [path] = globSync(join(node1.turnout.bpffs, `turnout/*/*/${kind}/${name}`));
    if (!path) throw new Error(`nothing is pinned as ${name}`);
    return path;
  };
  function withMap<T>(name: string, use: (map: BpfMap) => T): T {
    const map = BpfMap.openPinned(pin('maps', name));
    try {
      return use(map);
    } finally {
      map.close();
    }
  }

  /** Every row of the tables that the controller alone writes, readable enough for a difference. */
  function dump(): Record<string, string[]> {
    const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');
    return Object.fromEntries(
      TABLES.map((name) => [
        name,
        withMap(name, (map) => {
          const { count, keys, values } = map.getBatch(4096);
          const row = (i: number): string =>
            `${hex(keys.subarray(i * map.keySize, (i + 1) * map.keySize))} ${hex(values.subarray(i * map.rowSize, (i + 1) * map.rowSize))}`;
          return Array.from({ length: count }, (_, i) => row(i)).sort();
        }),
      ]),
    );
  }

  const frontendKey = (ip: string, port: number): Uint8Array =>
    frontendKeyBytes({ address: addressOctets(ip), port, protocol: TCP });
  const webFrontend = (): ReturnType<typeof readFrontend> =>
    withMap('frontends', (map) => readFrontend(map.get(frontendKey(CLUSTER_IPS.IPv4, 80)) ?? new Uint8Array(LB_FRONTEND_SIZE)));

  /** One row of each kind of damage in every table that can have it. */
  function damageTables(): void {
    const { cluster: list, serviceId } = webFrontend();
    withMap('frontends', (map) => {
      const changed = new Uint8Array(LB_FRONTEND_SIZE);
      writeFrontend(changed, 0, { ...webFrontend(), flags: 0x7f });
      map.set(frontendKey(CLUSTER_IPS.IPv4, 80), changed);
      map.delete(frontendKey(CLUSTER_IPS.IPv6, 80));
      map.set(frontendKey('10.96.0.99', 80), changed);
    });
    withMap('backends', (map) => {
      const rows = map.mmap();
      const row = readBackend(rows, list.base * LB_BACKEND_SIZE);
      writeBackend(rows, list.base * LB_BACKEND_SIZE, { ...row, address: addressOctets('203.0.113.66') });
      withMap('backend_states', (states) => viewOf(states.mmap()).setUint32(row.backendId * LB_BACKEND_STATE_SIZE, 77, true));
    });
    withMap('addresses', (map) => {
      map.delete(addressOctets(CLUSTER_IPS.IPv4));
      map.set(addressOctets(node1.ipv4), u32Bytes(4));
      map.set(addressOctets('203.0.113.77'), u32Bytes(7));
    });
    withMap('service_names', (map) => {
      map.delete(u32Bytes(serviceId));
      map.set(u32Bytes(60_000), new Uint8Array(LB_SERVICE_NAME_SIZE).fill(0x61, 0, 3));
    });
    withMap('source_ranges', (map) => {
      const [first] = map.keys();
      if (!first) throw new Error('no source range to damage');
      map.delete(first);
      const foreign = new Uint8Array(LB_SOURCE_RANGE_KEY_SIZE);
      writeSourceRangeKey(foreign, 0, { prefixLength: 32, serviceId, address: addressOctets('::') });
      map.set(foreign, u32Bytes(1));
    });
    withMap('service_cidrs', (map) => {
      for (const key of map.keys()) map.delete(key);
      const foreign = new Uint8Array(LB_SERVICE_CIDR_KEY_SIZE);
      writeServiceCidrKey(foreign, 0, { prefixLength: 104, address: addressOctets('10.0.0.0') });
      map.set(foreign, u32Bytes(1));
    });
    withMap('devices', (map) => {
      const [first, second] = map.keys();
      if (!first || !second) throw new Error('no devices to damage');
      map.delete(first);
      map.set(second, new Uint8Array(LB_DEVICE_SIZE));
      map.set(u32Bytes(4000), new Uint8Array(LB_DEVICE_SIZE));
    });
    withMap('host_aliases', (map) => {
      map.set(addressOctets(node1.ipv4), addressOctets('169.254.116.200'));
      map.set(addressOctets('203.0.113.78'), addressOctets('169.254.116.201'));
    });
    withMap('excluded_cgroups', (map) => map.set(u64Bytes(999_999n), u32Bytes(1)));
  }

  /** missing, differs, unexpected */
  const DAMAGE: Readonly<Record<string, readonly [number, number, number]>> = {
    frontends: [1, 1, 1],
    backends: [0, 1, 0],
    backend_states: [0, 1, 0],
    addresses: [1, 1, 1],
    service_names: [1, 0, 1],
    source_ranges: [1, 0, 1],
    service_cidrs: [1, 0, 1],
    devices: [1, 1, 1],
    host_aliases: [0, 1, 1],
    excluded_cgroups: [0, 0, 1],
  };
  const driftOf = ({ tables }: Told): Record<string, readonly number[]> =>
    Object.fromEntries(
      tables.filter(({ name }) => name in DAMAGE).map((one) => [one.name, [one.missing, one.differs, one.unexpected]]),
    );

  test('finds nothing to put right where nobody touched it', async () => {
    expect(verify()).toMatchObject({ status: 0, ok: true, problems: [] });
    await reach(pod.namespace, CLUSTER_IPS.IPv4, 80, 'TCP');
    const told = verify();
    expect(told.status, told.problems.join()).toBe(0);
    expect(told.tables.find(({ name }) => name === 'frontends')?.rowsCompared).toBeGreaterThan(20);
  });

  test('finds and puts right every kind of damage to every table, when asked, and nothing else', async () => {
    const before = dump();
    damageTables();
    expect(dump()).not.toEqual(before);
    const told = verify();
    expect(told.status).toBe(1);
    expect(driftOf(told)).toEqual(DAMAGE);
    expect(dump()).toEqual(before);
    expect(verify()).toMatchObject({ status: 0, lastRound: { drift: 0 } });
    await reach(pod.namespace, CLUSTER_IPS.IPv4, 80, 'TCP');
    const log = node1.turnout.logSinceStart;
    expect(log).toMatch(
      /"Somebody changed what is ours[^\n]*table="frontends" kind="missing" row="\[[^\n]*\]:80\/TCP of default\/web:tcp\/TCP\/IPv6/,
    );
    expect(log).toMatch(
      /table="backends" kind="differs" row="row \d+: cluster endpoint 0 of default\/web[^\n]*found="203\.0\.113\.66:8080/,
    );
    expect(log).toMatch(/table="source_ranges" kind="unexpected" row="service \d+: ::\/0"/);
  });

  test('proves every socket hook, and those of the port of the host, by something of its own that went through them', async () => {
    const { namespace } = node1;
    const hooks = (state: string): string[] =>
      verify()
        .canaries.filter((one) => one.state === state)
        .map(({ hook }) => hook)
        .sort();
    const of = (...names: string[]): string[] => names.flatMap((name) => [`${name}4`, `${name}6`]);
    const [there, back] = [
      ['host_egress (turnout0)', 'tc_ingress (turnout1)'],
      ['host_ingress (turnout0)', 'tc_egress (turnout1)'],
    ];
    expect(hooks('proven')).toEqual([...of('connect', 'getpeername', 'recvmsg', 'sendmsg'), ...there, ...back].sort());
    expect(node1.turnout.services().filter(({ name }) => name === 'canary')).toEqual([]);
    expect(node1.turnout.run('flows')).not.toContain('canary');
    expect(node1.turnout.run('top', '--once', '--interval=100ms', '--backends')).not.toContain('canary');

    namespace.run('iptables', '-I', 'INPUT', '-i', 'turnout1', '-j', 'DROP');
    expect(hooks('unproven')).toEqual(expect.arrayContaining(back));
    namespace.run('iptables', '-D', 'INPUT', '-i', 'turnout1', '-j', 'DROP');

    const route = ['169.254.116.0', 'via', '169.254.116.254', 'dev', 'turnout0', 'onlink', 'table', '29813'];
    namespace.run('ip', 'route', 'replace', 'unreachable', '169.254.116.0', 'table', '29813');
    expect(hooks('failed')).toEqual(there);
    namespace.run('ip', 'route', 'replace', ...route);
    expect(verify().status).toBe(0);
  });

  test('puts its rule back into a FORWARD chain that somebody emptied', async () => {
    const { namespace } = node1;
    const rules = (command: string): string => namespace.run(command, '-S');
    for (const command of ['iptables', 'ip6tables']) {
      const before = rules(command);
      namespace.run(command, '-F', 'FORWARD');
      const told = verify();
      expect(told.problems).toEqual(['the last round found 1 row or link that differed']);
      expect(told.recentDrift.at(-1)).toMatchObject({
        table: 'forward',
        kind: 'missing',
        row: `${command} FORWARD`,
        failure: '',
      });
      expect(rules(command)).toEqual(before);
      namespace.run(command, '-F', 'TURNOUT-FORWARD');
      expect(verify().status).toBe(1);
      expect(rules(command)).toEqual(before);
    }
    expect(verify().status).toBe(0);
  });

  test('attaches links again that somebody detached or whose pins somebody removed', async () => {
    await reach(node1.namespace, CLUSTER_IPS.IPv4, 80, 'TCP');
    const devices = JSON.parse(node1.namespace.run('ip', '-j', 'link', 'show')) as { ifname: string; ifindex: number }[];
    const ifindex = (name: string): number => devices.find(({ ifname }) => ifname === name)?.ifindex ?? 0;
    const detach = (name: string): void => {
      const link = BpfLink.openPinned(pin('links', name));
      link.detach();
      link.close();
    };
    detach('cgroup_connect4');
    detach(`tc_${ifindex('eth0')}_ingress`);
    unpin(pin('links', `tc_${ifindex('turnout1')}_egress`));
    detachPinned(pin('links', 'cgroup_recvmsg6'));
    const told = verify();
    expect(told.status).toBe(1);
    expect(
      told.recentDrift
        .filter(({ table }) => table === 'links')
        .map(({ row, found }) => `${row}: ${found}`)
        .sort(),
    ).toEqual([
      expect.stringMatching(/connect4: the link is detached$/),
      expect.stringMatching(/recvmsg6: the pin of the link is gone$/),
      'eth0 ingress: the link is detached',
      'turnout1 egress: the pin of the link is gone',
    ]);
    // The canary came first: it saw the socket hook fail, had it attached again, and saw it work.
    expect(told.canaries.find(({ hook }) => hook === 'connect4')).toMatchObject({ state: 'proven', failures: 1 });
    expect(verify()).toMatchObject({ status: 0 });
    await reach(node1.namespace, CLUSTER_IPS.IPv4, 80, 'TCP');
  });

  test('tells of blind spots: rules, programs and devices of others', async () => {
    const { namespace } = node1;
    namespace.run('iptables', '-A', 'FORWARD', '-m', 'conntrack', '--ctstate', 'DNAT', '-j', 'ACCEPT');
    namespace.run('iptables', '-A', 'INPUT', '-p', 'tcp', '--dport', '30080', '-j', 'DROP');
    namespace.run('nft', 'add table ip kube-proxy; add chain ip kube-proxy services; add rule ip kube-proxy services counter');
    namespace.run('tc', 'qdisc', 'add', 'dev', 'p-web', 'clsact');
    namespace.run('tc', 'filter', 'add', 'dev', 'p-web', 'egress', 'bpf', 'bytecode', '1,6 0 0 0,');
    namespace.ip('link add mv0 link eth0 type macvlan');
    const told = verify();
    expect(told.status).toBe(0);
    expect(told.blindSpots?.map(({ kind }) => kind)).toEqual([
      ...['child_devices', 'foreign_programs', 'kube_proxy', 'node_ports_in_input', 'original_destination'],
    ]);
    expect(node1.turnout.logSinceStart).toMatch(/"Blind spot" kind="kube_proxy"/);
    expect(namespace.run(process.execPath, '-e', METRICS)).toContain('turnout_blind_spot{kind="original_destination"} 1');
    namespace.ip('link del mv0');
    namespace.run('nft', 'delete table ip kube-proxy');
    expect(verify().blindSpots?.map(({ kind }) => kind)).not.toContain('kube_proxy');
  });

  test('does all that on its own, on schedule', async () => {
    await restart('--ebpf-verify-period=1s');
    const before = dump();
    damageTables();
    detachPinned(pin('links', 'cgroup_connect6'));
    await until('what was damaged is as it was', () => JSON.stringify(dump()) === JSON.stringify(before));
    await until(
      'the link is there again',
      () => globSync(join(node1.turnout.bpffs, 'turnout/*/*/links/cgroup_connect6')).length === 1,
    );
    const metrics = node1.namespace.run(process.execPath, '-e', METRICS);
    expect(metrics).toMatch(/turnout_drift_total\{table="frontends",kind="missing"\} [1-9]/);
    expect(metrics).toMatch(/turnout_drift_total\{table="links",kind="missing"\} [1-9]/);
    expect(metrics).toMatch(/turnout_canary_up\{hook="connect4"\} 1/);
    expect(node1.turnout.run('status')).toMatch(/Drift: +[1-9]\d* since the start, put right/);
  });

  test('holds no change of its own for damage, however often Services change', async () => {
    await restart('--ebpf-verify-period=20ms');
    for (let i = 0; i < 15; i++) {
      const clusterIPs = [`10.96.1.${i % 7}`, `fd00:10:96::1:${i % 7}`];
      const services = serviceWithSlices({ name: `churn-${i % 5}`, clusterIPs, pods: i % 3 ? [pod] : [], port: 80 + i });
      await node1.turnout.apply('churn', services);
    }
    await node1.turnout.apply('churn', []);
    const told = verify();
    expect(told.recentDrift).toEqual([]);
    expect(told.rounds).toBeGreaterThan(15);
  });

  test('sees by its canary that the socket programs hang where its processes are not', async () => {
    await restart(ON_REQUEST, `--ebpf-cgroup-root=${cluster.lab.cgroup('elsewhere')}`);
    const told = verify();
    expect(told.status).toBe(1);
    expect(told.problems).toContain('canary of connect4: what was sent to a Service arrived untranslated');
    expect(told.canaries.filter(({ state }) => state === 'failed').map(({ hook }) => hook)).toContain('sendmsg6');
    expect(node1.turnout.logSinceStart).toMatch(/"A hook does not do its work" hook="connect4"/);
    expect(node1.turnout.run('status')).toMatch(/Canary: +FAILED: connect4/);
  });

  test('takes a canary for no proof where its own cgroup is left to the packet path', async () => {
    const { cgroup } = node1.namespace;
    await restart(ON_REQUEST, `--ebpf-cgroup-root=${dirname(cgroup)}`, `--ebpf-socket-path-exclude=/${basename(cgroup)}`);
    const told = verify();
    expect(told.status, told.problems.join()).toBe(0);
    expect(told.canaries).toContainEqual(
      expect.objectContaining({
        hook: 'connect4',
        state: 'unproven',
        detail: expect.stringContaining('--ebpf-socket-path-exclude'),
      }),
    );
  });

  test('says which table is full, keeps what was in force, and goes on when there is room', async () => {
    await restart(ON_REQUEST, '--ebpf-service-table-size=64', '--ebpf-sync-period=1s');
    withMap('frontends', (map) => {
      for (let port = 1; map.keys().length < 64; port++)
        map.set(frontendKey('203.0.113.1', port), new Uint8Array(LB_FRONTEND_SIZE));
    });
    node1.turnout.write('more', serviceWithSlices({ name: 'more', clusterIPs: ['10.96.0.20', 'fd00:10:96::20'], pods: [pod] }));
    await node1.turnout.logged('the table frontends (64 rows) is full');
    expect(node1.turnout.run('status')).toContain(
      'the last pass failed: the table frontends (64 rows) is full; raise --ebpf-service-table-size',
    );
    await reach(pod.namespace, CLUSTER_IPS.IPv4, 80, 'TCP');
    expect(verify().status).toBe(1); // takes the strangers' rows out
    await until('the Service is in force', () => node1.turnout.services().some(({ name }) => name === 'more'));
    await reach(pod.namespace, '10.96.0.20', 80, 'TCP');
    node1.turnout.write('more', []);
    expect(verify().status).toBe(0);
  });
});

const FLAGS = ['--v=2', '--cluster-cidr=10.244.0.0/16,fd00:10:244::/48', '--ebpf-min-sync-period=0s'];
const METRICS = `fetch('http://127.0.0.1:10249/metrics').then(async (r) => console.log(await r.text()))`;
