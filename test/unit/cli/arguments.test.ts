import { describe, expect, test } from 'vitest';
import { parseArguments } from '../../../src/cli/arguments.ts';
import type { Command } from '../../../src/cli/command.ts';
import { TurnoutError } from '../../../src/errors.ts';

const HEAD = 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n';

const OPTIONS = { version: '1.2.3', hostname: 'Node-A', readFile: () => `${HEAD}clusterCIDR: 10.0.0.0/8\n` };

function parse(...argv: string[]): Command {
  return parseArguments(argv, { ...OPTIONS, capabilities: ~0n });
}

function refusal(...argv: string[]): TurnoutError {
  try {
    parse(...argv);
  } catch (error) {
    if (error instanceof TurnoutError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

function runConfig(...argv: string[]) {
  const command = parse('--manifests=/m', ...argv);
  if (command.kind !== 'run') throw new Error(`got ${command.kind}`);
  return command.config;
}

describe('flag syntax', () => {
  test.each([
    [['--cluster-cidr=10.0.0.0/8']],
    [['--cluster-cidr', '10.0.0.0/8']],
    [['--cluster_cidr=10.0.0.0/8']],
    [['--cluster_cidr', '10.0.0.0/8']],
  ])('%j sets the cluster CIDR', (argv) => {
    expect(runConfig(...argv).clusterCIDRs).toEqual(['10.0.0.0/8']);
  });

  test.each([[['-v=3']], [['-v', '3']], [['-v3']], [['--v=3']], [['--v', '3']]])('%j sets the verbosity', (argv) => {
    expect(runConfig(...argv).logging.verbosity).toBe(3);
  });

  test('a boolean flag needs no value and does not take the next word', () => {
    expect(runConfig('--masquerade-all', '--v', '1')).toMatchObject({ masqueradeAll: true, logging: { verbosity: 1 } });
    expect(runConfig('--iptables-localhost-nodeports=false').localhostNodePorts).toBe(false);
    expect(refusal('--manifests=/m', '--masquerade-all', 'false').message).toContain('unknown command "false"');
  });

  test('a value may look like a flag', () => {
    expect(runConfig('--oom-score-adj', '-7').oomScoreAdj).toBe(-7);
  });

  test('unknown flags are refused together, each with the nearest known one', () => {
    const error = refusal('--clustr-cidr=x', '--ebpf-socketpath', '-proxy-mode', '-q', '--xyzzyplugh');
    expect(error.message).toBe(
      'unknown flags --clustr-cidr (did you mean --cluster-cidr?), --ebpf-socketpath (did you mean --ebpf-socket-path?), ' +
        '-proxy-mode (did you mean --proxy-mode?), -q, --xyzzyplugh',
    );
    expect(error.exitCode).toBe(2);
  });

  test('a flag without its value is refused', () => {
    expect(refusal('--manifests').message).toBe('flag --manifests needs a value');
  });
});

describe('commands', () => {
  test('without a command the proxy runs', () => {
    expect(parse('--manifests=/m')).toMatchObject({ kind: 'run', config: { manifests: '/m', nodeName: 'node-a' } });
  });

  test('without a source the proxy says how to give it one', () => {
    expect(refusal()).toMatchObject({ code: 'NO_SOURCE', exitCode: 2, hint: expect.stringContaining('--manifests=DIR') });
  });

  test.each([['--kubeconfig=/k'], ['--master=http://x'], ['--manifests=/m']])('%s is a source', (flag) => {
    expect(parse(flag)).toMatchObject({ kind: 'run' });
  });

  test('flags may stand before and after the command', () => {
    expect(parse('--ebpf-bpffs-root=/b', 'status', '-o', 'json', '--ebpf-cgroup-root=/c')).toMatchObject({
      kind: 'status',
      output: 'json',
      config: { ebpf: { bpffsRoot: '/b', cgroupRoot: '/c' } },
    });
  });

  test('services takes a namespace and may show all endpoints', () => {
    expect(parse('services', '-n', 'kube-system', '--all-endpoints')).toMatchObject({
      kind: 'services',
      output: 'table',
      namespace: 'kube-system',
      allEndpoints: true,
    });
  });

  test.each([[['cleanup']], [['--cleanup']], [['--cleanup=true', '--manifests=/m']]])('%j cleans up', (argv) => {
    expect(parse(...argv).kind).toBe('cleanup');
  });

  test('--cleanup=false runs the proxy', () => {
    expect(parse('--cleanup=false', '--manifests=/m').kind).toBe('run');
  });

  test.each([[['--version']], [['--version=raw']], [['status', '--version']]])('%j prints the version', (argv) => {
    expect(parse(...argv)).toEqual({ kind: 'print', text: 'turnout 1.2.3\n' });
  });

  test('a mistyped command is refused with the nearest', () => {
    expect(refusal('stauts').message).toBe('unknown command "stauts" (did you mean status?)');
    expect(refusal('help', 'service').message).toBe('unknown command "service" (did you mean services?)');
  });

  test('what does not belong to a command is refused', () => {
    expect(refusal('status', 'eth0').message).toBe('turnout status takes no argument "eth0"');
    const namespace = refusal('cleanup', '--namespace=a');
    expect(namespace.message).toBe('--namespace is a flag of turnout services');
    expect(namespace.hint).toBe('`turnout help services` explains it');
    expect(refusal('status', '--output=xml').message).toContain('must be table or json');
  });
});

describe('without root', () => {
  const unprivileged = (...argv: string[]) => parseArguments(argv, { ...OPTIONS, capabilities: 0n });

  test.each([[['--manifests=/m']], [['status']], [['services']], [['verify']], [['cleanup']], [['--cleanup']]])(
    '%j says so',
    (argv) => {
      expect(() => unprivileged(...argv)).toThrow(/needs root \(CAP_BPF/);
    },
  );

  test('help, the version and mode fake work', () => {
    expect(unprivileged('--version').kind).toBe('print');
    expect(unprivileged('help', 'status').kind).toBe('print');
    expect(unprivileged('--manifests=/m', '--proxy-mode=fake').kind).toBe('run');
  });

  test('CAP_BPF is enough to look, changes need CAP_NET_ADMIN too', () => {
    const parse = (name: string) => parseArguments([name], { ...OPTIONS, capabilities: 1n << 39n });
    expect(parse('status').kind).toBe('status');
    expect(() => parse('cleanup')).toThrow('turnout cleanup needs root (CAP_NET_ADMIN is missing)');
  });
});

describe('--config', () => {
  test('is read, and its warnings are handed on', () => {
    const command = parse('--manifests=/m', '--config=/c', '--cluster-cidr=11.0.0.0/8');
    expect(command).toMatchObject({
      config: { clusterCIDRs: ['10.0.0.0/8'] },
      warnings: [expect.stringContaining('--cluster-cidr')],
    });
  });

  test('that cannot be read says why', () => {
    const run = () => parseArguments(['--config=/nonexistent/file.yaml'], { version: '1' });
    expect(run).toThrow('cannot read --config=/nonexistent/file.yaml: there is no such file');
  });
});

describe('help', () => {
  test.each([[['--help']], [['-h']], [['help']]])('%j explains the program with examples', (argv) => {
    const command = parse(...argv);
    expect(command.kind).toBe('print');
    const text = command.kind === 'print' ? command.text : '';
    expect(text).toContain('Usage: turnout [flags]');
    expect(text).toContain('turnout --manifests=');
    for (const flag of ['--cluster-cidr=', '--ebpf-socket-path=tcp|all|off', '--config=FILE', '-v, --v=NUMBER'])
      expect(text).toContain(flag);
    expect(text).not.toContain('--ipvs-scheduler');
  });

  test.each(['status', 'services', 'verify', 'cleanup'])('%s explains itself with examples', (name) => {
    for (const argv of [
      [name, '--help'],
      [name, '-h'],
      ['help', name],
    ]) {
      const command = parse(...argv);
      expect(command).toEqual({ kind: 'print', text: expect.stringContaining(`Usage: turnout ${name}`) });
      expect(command).toEqual({ kind: 'print', text: expect.stringContaining('Examples:') });
    }
  });

  test('help keeps to the width of the terminal', () => {
    const command = parseArguments(['--help'], { version: '1', columns: 80 });
    const text = command.kind === 'print' ? command.text : '';
    const lines = text.slice(0, text.indexOf('Examples:')).split('\n');
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
  });
});

test('every flag of kube-proxy 1.37 on Linux is accepted', () => {
  const values = [
    'kube-api-content-type=x',
    'profiling',
    'init-only',
    'show-hidden-metrics-for-version=1.36',
    'iptables-masquerade-bit=14',
    'iptables-sync-period=30s',
    'iptables-min-sync-period=1s',
    'ipvs-sync-period=30s',
    'ipvs-min-sync-period=1s',
    'ipvs-scheduler=rr',
    'ipvs-exclude-cidrs=10.0.0.0/8',
    'ipvs-strict-arp',
    'ipvs-tcp-timeout=1s',
    'ipvs-tcpfin-timeout=1s',
    'ipvs-udp-timeout=1s',
    'config-sync-period=15m',
    'log-flush-frequency=5s',
    'vmodule=a=1',
    'log-text-split-stream',
    'log-json-split-stream',
    'log-text-info-buffer-size=0',
    'log-json-info-buffer-size=0',
    'feature-gates=A=true',
    'write-config-to=/w',
  ];
  const command = parse('--manifests=/m', ...values.map((value) => `--${value}`));
  const warnings = command.kind === 'run' ? command.warnings : [];
  expect(warnings).toHaveLength(1);
  for (const value of values) expect(warnings[0]).toContain(`--${value.split('=')[0]}`);
  const working = [
    'hostname-override=a',
    'bind-address=1.2.3.4',
    'healthz-bind-address=1.2.3.4',
    'metrics-bind-address=1.2.3.4',
    'kubeconfig=/k',
    'master=http://x',
    'kube-api-burst=1',
    'kube-api-qps=2.5',
    'bind-address-hard-fail',
    'proxy-mode=ebpf',
    'masquerade-all',
    'iptables-localhost-nodeports',
    'detect-local-mode=NodeCIDR',
    'pod-bridge-interface=b',
    'pod-interface-name-prefix=p',
    'cluster-cidr=10.0.0.0/8',
    'nodeport-addresses=all',
    'oom-score-adj=0',
    'conntrack-max-per-core=0',
    'conntrack-min=0',
    'conntrack-tcp-timeout-established=1s',
    'conntrack-tcp-timeout-close-wait=1s',
    'conntrack-tcp-be-liberal',
    'conntrack-udp-timeout=1s',
    'conntrack-udp-timeout-stream=1s',
    'healthz-port=1',
    'metrics-port=1',
    'logging-format=json',
    'v=1',
  ];
  expect(parse('--manifests=/m', ...working.map((value) => `--${value}`))).toMatchObject({ kind: 'run', warnings: [] });
});
