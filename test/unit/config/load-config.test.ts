import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../../src/config/load-config.ts';

/** Flags as the command line hands them over, from 'name=value'. */
function flagsOf(...texts: string[]): Map<string, string[]> {
  const flags = new Map<string, string[]>();
  for (const text of texts) {
    const [name = '', ...value] = text.split('=');
    flags.set(name, [...(flags.get(name) ?? []), value.join('=')]);
  }
  return flags;
}

const HEAD = 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n';

function fromFlags(...texts: string[]) {
  return loadConfig({ flags: flagsOf(...texts), file: null, hostname: 'Node-A' });
}

function fromFile(body: string, ...texts: string[]) {
  return loadConfig({ flags: flagsOf(...texts), file: { path: '/etc/kp/config.yaml', text: HEAD + body }, hostname: 'Node-A' });
}

/** The message of the error that `run` throws. */
function failure(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('nothing was refused');
}

describe('flags', () => {
  test("without any, the defaults are kube-proxy's", () => {
    const { config, warnings } = fromFlags();
    expect(config).toMatchObject({
      nodeName: 'node-a',
      proxyMode: 'ebpf',
      bindAddress: '0.0.0.0',
      healthzBindAddress: '0.0.0.0:10256',
      metricsBindAddress: '127.0.0.1:10249',
      bindAddressHardFail: false,
      clusterCIDRs: [],
      detectLocalMode: 'ClusterCIDR',
      nodePortAddresses: [],
      masqueradeAll: false,
      localhostNodePorts: true,
      oomScoreAdj: -999,
      syncPeriodMs: 30_000,
      minSyncPeriodMs: 1000,
      conntrack: {
        maxPerCore: 32_768,
        min: 131_072,
        tcpEstablishedTimeoutMs: 86_400_000,
        tcpCloseWaitTimeoutMs: 3_600_000,
        udpTimeoutMs: 0,
      },
      ebpf: {
        socketPath: { mode: 'tcp', exclude: [] },
        snatPortRange: { min: 10_240, max: 29_999 },
        masqueradeMarkBit: 14,
        rejectsPerSecond: 1000,
      },
      logging: { format: 'text', verbosity: 0 },
    });
    expect(warnings).toEqual([]);
  });

  test('every kind of value is read', () => {
    const { config } = fromFlags(
      'cluster-cidr=10.244.0.0/16,fd00:244::/48',
      'nodeport-addresses=192.0.2.0/24,primary',
      'nodeport-addresses=localhost',
      'conntrack-tcp-timeout-established=1m30s',
      'masquerade-all=true',
      'oom-score-adj=-5',
      'ebpf-snat-port-range=20000-21000',
      'ebpf-devices-exclude=cali*,docker0',
      'hostname-override= WORKER ',
      'v=4',
    );
    expect(config).toMatchObject({
      clusterCIDRs: ['10.244.0.0/16', 'fd00:244::/48'],
      nodePortAddresses: ['192.0.2.0/24', 'primary', 'localhost'],
      conntrack: { tcpEstablishedTimeoutMs: 90_000 },
      masqueradeAll: true,
      oomScoreAdj: -5,
      ebpf: { snatPortRange: { min: 20_000, max: 21_000 }, devicesExclude: ['cali*', 'docker0'] },
      nodeName: 'worker',
      logging: { verbosity: 4 },
    });
  });

  test('addresses become canonical: leading zeros are decimal, host bits are cleared', () => {
    const { config } = fromFlags('cluster-cidr=010.244.1.1/16,FD00:0::1/48', 'bind-address=192.000.002.010');
    expect(config).toMatchObject({ clusterCIDRs: ['10.244.0.0/16', 'fd00::/48'], bindAddress: '192.0.2.10' });
  });

  test('the last of several texts counts', () => {
    expect(fromFlags('v=1', 'v=3').config.logging.verbosity).toBe(3);
  });

  test.each([
    ['healthz-bind-address=127.0.0.1', '127.0.0.1:10256'],
    ['healthz-bind-address=::1', '[::1]:10256'],
    ['healthz-bind-address=[::1]:99', '[::1]:99'],
    ['healthz-bind-address=', ''],
    ['healthz-port=1234', '0.0.0.0:1234'],
    ['healthz-port=0', ''],
  ])('--%s serves health on "%s"', (flag, address) => {
    expect(fromFlags(flag).config.healthzBindAddress).toBe(address);
  });

  test.each([
    ['cluster-cidr=10/8', 'must be a CIDR'],
    ['cluster-cidr=10.0.0.0/8,11.0.0.0/8', 'one IPv4 and one IPv6'],
    ['cluster-cidr=10.0.0.0/8,fd00::/8,11.0.0.0/8', 'at most two'],
    ['nodeport-addresses=10.0.0.1', 'primary, localhost or all'],
    ['bind-address=localhost', 'must be an IP address'],
    ['healthz-bind-address=0.0.0.0:0', 'port from 1 to 65535'],
    ['healthz-bind-address=::1:80:z', 'IP:PORT'],
    ['hostname-override=  ', 'must not be blank'],
    ['proxy-mode=ipvs', 'not built yet; use ebpf'],
    ['proxy-mode=nftables', 'not built yet; use ebpf'],
    ['proxy-mode=userspace', 'not a mode of turnout'],
    ['detect-local-mode=clustercidr', 'must be one of ClusterCIDR'],
    ['detect-local-mode=BridgeInterface', 'needs --pod-bridge-interface'],
    ['detect-local-mode=InterfaceNamePrefix', 'needs --pod-interface-name-prefix'],
    ['conntrack-udp-timeout=30', 'must be a duration'],
    ['conntrack-udp-timeout=-1s', 'must not be negative'],
    ['conntrack-min=-1', '0 or more'],
    ['oom-score-adj=1001', 'from -1000 to 1000'],
    ['masquerade-all=maybe', 'true or false'],
    ['ebpf-socket-path=udp', 'must be one of tcp, all, off'],
    ['ebpf-socket-path-exclude=/a,kubepods/x', '"kubepods/x" must start with / at character 1'],
    ['ebpf-socket-path-exclude=/a/pod[1', 'close the [ at character 7'],
    ['ebpf-cgroup-root=relative', 'starts with /'],
    ['ebpf-snat-port-range=1000-2000', 'inside 1024-65535'],
    ['ebpf-snat-port-range=2000-70000', 'inside 1024-65535'],
    ['ebpf-snat-port-range=3000-2000', 'smaller port first'],
    ['ebpf-snat-port-range=3000', 'range of ports'],
    ['ebpf-flow-table-size=0', 'from 1 to'],
    ['ebpf-devices-include=eth[0', 'close every ['],
    ['ebpf-devices-include=a/b', 'without blanks and slashes'],
    ['ebpf-sync-period=0s', 'longer than 0s'],
    ['ebpf-min-sync-period=1m', 'must not be longer than --ebpf-sync-period'],
    ['logging-format=xml', 'must be one of text, json'],
  ])('--%s is refused: %s', (flag, reason) => {
    const message = failure(() => fromFlags(flag));
    expect(message).toContain(reason);
    expect(message).toContain(`--${flag.split('=')[0]}`);
  });

  test('all that is wrong is told at once', () => {
    const message = failure(() => fromFlags('v=x', 'oom-score-adj=9999', 'ebpf-socket-path=no'));
    expect(message.split('\n')).toHaveLength(4);
  });

  test('flags that do nothing yet are named in one warning', () => {
    const { warnings } = fromFlags('ipvs-scheduler=rr', 'iptables-sync-period=5s', 'profiling=true');
    expect(warnings).toEqual([expect.stringContaining('--iptables-sync-period, --ipvs-scheduler, --profiling')]);
  });
});

describe('a KubeProxyConfiguration', () => {
  test('with socketPath as one word is told the field that it is now', () => {
    const message = failure(() => fromFile('ebpf: {socketPath: tcp}\n'));
    expect(message).toContain(
      'ebpf.socketPath at config.yaml:3:20: "tcp" must be a mapping of fields, such as ebpf.socketPath.mode',
    );
  });

  test('says how to reach the API server; --master wins', () => {
    const connection = 'clientConnection: {kubeconfig: /k, qps: 2.5, burst: 7}\n';
    const apiServer = { kubeconfig: '/k', master: '', qps: 2.5, burst: 7 };
    expect(fromFile(connection).config.apiServer).toEqual(apiServer);
    expect(fromFile(connection, 'master=http://x', 'kubeconfig=/other').config.apiServer).toEqual({
      ...apiServer,
      master: 'http://x',
    });
  });

  test('sets what its fields say', () => {
    const { config, warnings } = fromFile(`
clusterCIDR: 10.244.0.0/16
detectLocalMode: InterfaceNamePrefix
detectLocal: {interfaceNamePrefix: veth}
nodePortAddresses: [primary, 127.0.0.0/8]
hostnameOverride: file-name
bindAddress: 192.0.2.7
bindAddressHardFail: yes
healthzBindAddress: 127.0.0.1:1
metricsBindAddress: 0.0.0.0
oomScoreAdj: 0
conntrack: {maxPerCore: 0, min: 5, tcpEstablishedTimeout: 2h, tcpCloseWaitTimeout: 0s, tcpBeLiberal: true, udpTimeout: 10s, udpStreamTimeout: 20s}
iptables: {masqueradeAll: true, localhostNodePorts: false}
ebpf: {socketPath: {mode: off, exclude: [/kubepods*/**/pod1, /istio]}, snatPortRange: 2000-3000, syncPeriod: 10s, minSyncPeriod: 0s, devicesInclude: [eth*]}
logging: {format: json, verbosity: 3}
mode: ""
`);
    expect(config).toMatchObject({
      proxyMode: 'ebpf',
      nodeName: 'file-name',
      clusterCIDRs: ['10.244.0.0/16'],
      detectLocalMode: 'InterfaceNamePrefix',
      podInterfaceNamePrefix: 'veth',
      nodePortAddresses: ['primary', '127.0.0.0/8'],
      bindAddress: '192.0.2.7',
      bindAddressHardFail: true,
      healthzBindAddress: '127.0.0.1:1',
      metricsBindAddress: '0.0.0.0:10249',
      oomScoreAdj: 0,
      masqueradeAll: true,
      localhostNodePorts: false,
      syncPeriodMs: 10_000,
      minSyncPeriodMs: 0,
      conntrack: {
        maxPerCore: 0,
        min: 5,
        tcpEstablishedTimeoutMs: 7_200_000,
        tcpCloseWaitTimeoutMs: 0,
        tcpBeLiberal: true,
        udpTimeoutMs: 10_000,
        udpStreamTimeoutMs: 20_000,
      },
      ebpf: {
        socketPath: { mode: 'off', exclude: ['/kubepods*/**/pod1', '/istio'] },
        snatPortRange: { min: 2000, max: 3000 },
        devicesInclude: ['eth*'],
      },
      logging: { format: 'json', verbosity: 3 },
    });
    expect(warnings).toEqual([]);
  });

  test('may be JSON', () => {
    const text = JSON.stringify({
      apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
      kind: 'KubeProxyConfiguration',
      clusterCIDR: 'fd00::/48',
    });
    expect(loadConfig({ flags: new Map(), file: { path: 'c.json', text }, hostname: 'n' }).config.clusterCIDRs).toEqual([
      'fd00::/48',
    ]);
  });

  test('masqueradeAll and localhostNodePorts come from ebpf: before iptables:, and an --ebpf- flag before both', () => {
    const body =
      'iptables: {masqueradeAll: true, localhostNodePorts: true}\nebpf: {masqueradeAll: false, localhostNodePorts: false}\n';
    expect(fromFile(body).config).toMatchObject({ masqueradeAll: false, localhostNodePorts: false });
    expect(fromFile(body, 'ebpf-masquerade-all=true').config.masqueradeAll).toBe(true);
  });

  test('sync periods are read from ebpf: only', () => {
    const { config, warnings } = fromFile('iptables: {syncPeriod: 5s, minSyncPeriod: 2s}\n');
    expect(config).toMatchObject({ syncPeriodMs: 30_000, minSyncPeriodMs: 1000 });
    expect(warnings).toEqual([expect.stringContaining('iptables.syncPeriod, iptables.minSyncPeriod')]);
  });

  test('ordinary flags are ignored beside it with a warning; --ebpf-*, --manifests, the host name and logging flags win', () => {
    const { config, warnings } = fromFile(
      'clusterCIDR: 10.0.0.0/8\nhostnameOverride: file\nebpf: {socketPath: {mode: tcp}}\nlogging: {verbosity: 1}\n',
      'cluster-cidr=11.0.0.0/8',
      'masquerade-all=true',
      'hostname-override=flag',
      'ebpf-socket-path=all',
      'manifests=/m',
      'v=5',
    );
    expect(config).toMatchObject({
      clusterCIDRs: ['10.0.0.0/8'],
      masqueradeAll: false,
      nodeName: 'flag',
      manifests: '/m',
      ebpf: { socketPath: { mode: 'all' } },
      logging: { verbosity: 5 },
    });
    expect(warnings).toEqual([expect.stringContaining('--cluster-cidr, --masquerade-all')]);
  });

  test("an ignored flag's bad value does not matter", () => {
    expect(fromFile('', 'cluster-cidr=nonsense').config.clusterCIDRs).toEqual([]);
  });

  test('an IPv6 bindAddress chooses the family of the default server addresses, as in kube-proxy', () => {
    expect(fromFile('bindAddress: "::"\n').config).toMatchObject({
      healthzBindAddress: '[::]:10256',
      metricsBindAddress: '[::1]:10249',
    });
    expect(fromFlags('bind-address=::').config.healthzBindAddress).toBe('0.0.0.0:10256');
  });

  test('empty values count as not set, the way kubeadm writes them, and cause no warning', () => {
    const { config, warnings } = fromFile(`
clusterCIDR: ""
configSyncPeriod: 0s
conntrack: {maxPerCore: null, min: null, tcpEstablishedTimeout: null}
detectLocalMode: ""
healthzBindAddress: ""
iptables: {localhostNodePorts: null, masqueradeBit: null, syncPeriod: 0s}
ipvs: {excludeCIDRs: null, scheduler: "", strictARP: false}
logging: {flushFrequency: 0, options: {json: {infoBufferSize: "0"}}}
nodePortAddresses: null
winkernel: {enableDSR: false}
`);
    expect(config).toMatchObject({
      healthzBindAddress: '0.0.0.0:10256',
      localhostNodePorts: true,
      conntrack: { maxPerCore: 32_768 },
    });
    expect(warnings).toEqual([]);
  });

  test('fields that do nothing yet are named in one warning', () => {
    const { warnings } = fromFile('ipvs: {scheduler: wrr}\nfeatureGates: {AllAlpha: true}\nclientConnection: {contentType: x}\n');
    expect(warnings).toEqual([expect.stringContaining('ipvs.scheduler, featureGates, clientConnection.contentType')]);
  });

  test('unknown and repeated fields are told with line and column, and the rest works', () => {
    const { config, warnings } = fromFile(
      'clusterCIRD: 1\nconntrack:\n  mini: 3\n  min: 4\nebpf: {}\noomScoreAdj: 1\noomScoreAdj: 2\n',
    );
    expect(config.conntrack.min).toBe(4);
    expect(config.oomScoreAdj).toBe(2);
    expect(warnings).toEqual([
      'Fields set twice in the configuration file; the last value counts: oomScoreAdj (config.yaml:9:1)',
      'Unknown fields in the configuration file are ignored: clusterCIRD (config.yaml:3:1, did you mean clusterCIDR?), ' +
        'conntrack.mini (config.yaml:5:3, did you mean min?)',
    ]);
  });

  test('every bad value is told at once, with its path and position', () => {
    const message = failure(() =>
      fromFile('oomScoreAdj: many\nconntrack:\n  min: -4\nnodePortAddresses:\n  - all\n  - 10.0.0.1\nmode: ipvs\n'),
    );
    expect(message).toContain('oomScoreAdj at config.yaml:3:14: "many" must be a whole number from -1000 to 1000');
    expect(message).toContain('conntrack.min at config.yaml:5:8: -4 must be a whole number, 0 or more');
    expect(message).toContain('nodePortAddresses at config.yaml:7:3: "10.0.0.1" must be a CIDR');
    expect(message).toContain('mode at config.yaml:9:7: "ipvs" is a mode that is not built yet; use ebpf');
  });

  test.each([
    ['bad YAML', 'apiVersion: [', 'config.yaml:1:14: is not valid YAML'],
    ['an empty file', '# nothing\n', 'is empty'],
    ['a list', '- a\n', 'a mapping of fields'],
    ['two documents', `${HEAD}---\n${HEAD}`, 'holds 2 documents'],
    ['another kind', 'apiVersion: v1\nkind: ConfigMap\n', 'kind at config.yaml:2:7: "ConfigMap" must be KubeProxyConfiguration'],
    ['no kind', 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\n', 'is missing; it must be KubeProxyConfiguration'],
    ['a section that is no mapping', `${HEAD}conntrack: 5\n`, 'conntrack at config.yaml:3:12: 5 must be a mapping of fields'],
    ['a value that is a mapping', `${HEAD}clusterCIDR: {a: 1}\n`, 'clusterCIDR at config.yaml:3:14: must be a single value'],
  ])('%s is refused', (_what, text, reason) => {
    expect(failure(() => loadConfig({ flags: new Map(), file: { path: '/x/config.yaml', text }, hostname: 'n' }))).toContain(
      reason,
    );
  });
});
