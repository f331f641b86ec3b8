// kube-proxy's own flags and configuration fields that Turnout implements.
import { z } from 'zod';
import type { Option } from './option.ts';
import {
  bindAddressKind,
  booleanKind,
  choiceKind,
  clusterCidrKind,
  durationKind,
  integerKind,
  ipKind,
  nodePortAddressesKind,
  numberKind,
  textKind,
  type ValueKind,
} from './value-kind.ts';

function option<T>(
  flag: string,
  field: string,
  kind: ValueKind<T>,
  defaultValue: T,
  help: string,
  more: Partial<Option<T>> = {},
): Option<T> {
  return { flag, field, kind, default: defaultValue, help, besideConfig: false, ...more };
}

const LATER_MODES = ['iptables', 'ipvs', 'nftables'];

const proxyModeKind: ValueKind<'ebpf' | 'fake'> = {
  placeholder: 'ebpf',
  schema: z.string('must be the name of a mode').transform((mode, context) => {
    if (mode === 'ebpf' || mode === 'fake') return mode;
    context.addIssue(
      LATER_MODES.includes(mode) ? 'is a mode that is not built yet; use ebpf' : 'is not a mode of turnout; use ebpf',
    );
    return 'ebpf';
  }),
  fromText: (text) => text,
};

const hostnameKind: ValueKind<string> = {
  placeholder: 'NAME',
  schema: z.string('must be the name of this node').refine((name) => name.trim() !== '', 'must not be blank'),
  fromText: (text) => text,
};

const notNegative = durationKind({ isPositive: false });

export const KUBE_PROXY_OPTIONS = {
  kubeconfig: option(
    'kubeconfig',
    'clientConnection.kubeconfig',
    { ...textKind, placeholder: 'FILE' },
    '',
    'How to reach the API server.',
    { defaultText: "the pod's service account" },
  ),
  master: option('master', '', { ...textKind, placeholder: 'URL' }, '', "The API server, in place of the kubeconfig's.", {
    besideConfig: true,
    defaultText: "the kubeconfig's server",
  }),
  kubeApiQps: option(
    'kube-api-qps',
    'clientConnection.qps',
    numberKind,
    5,
    'Requests a second to the API server, on average; below 0 is no limit.',
  ),
  kubeApiBurst: option('kube-api-burst', 'clientConnection.burst', integerKind(0), 10, 'Requests that may be sent at once.'),
  hostnameOverride: option(
    'hostname-override',
    'hostnameOverride',
    hostnameKind,
    '',
    'Name of this node, as the Node and EndpointSlices spell it.',
    {
      besideConfig: true,
      defaultText: "the machine's host name",
    },
  ),
  mode: option('proxy-mode', 'mode', proxyModeKind, 'ebpf', 'How Services are translated. Only ebpf is built so far.'),
  bindAddress: option(
    'bind-address',
    'bindAddress',
    ipKind,
    '0.0.0.0',
    "This node's primary IP, when it is not to be found out; also sets the primary family.",
  ),
  healthzBindAddress: option<string | null>(
    'healthz-bind-address',
    'healthzBindAddress',
    bindAddressKind,
    null,
    'Where /healthz and /livez are served; empty is off.',
    {
      defaultText: '0.0.0.0:10256',
    },
  ),
  metricsBindAddress: option<string | null>(
    'metrics-bind-address',
    'metricsBindAddress',
    bindAddressKind,
    null,
    'Where /metrics and /proxyMode are served; empty is off.',
    {
      defaultText: '127.0.0.1:10249',
    },
  ),
  healthzPort: option(
    'healthz-port',
    '',
    integerKind(0, 65535),
    10256,
    'Deprecated: port for a --healthz-bind-address without one; 0 is off.',
  ),
  metricsPort: option(
    'metrics-port',
    '',
    integerKind(0, 65535),
    10249,
    'Deprecated: port for a --metrics-bind-address without one; 0 is off.',
  ),
  bindAddressHardFail: option(
    'bind-address-hard-fail',
    'bindAddressHardFail',
    booleanKind,
    false,
    'End when a server address cannot be bound, instead of trying again every 5 s.',
  ),
  clusterCIDR: option<readonly string[]>(
    'cluster-cidr',
    'clusterCIDR',
    clusterCidrKind,
    [],
    'Addresses of pods, one CIDR for each family; traffic from elsewhere to a ClusterIP is masqueraded.',
    {
      defaultText: 'none',
    },
  ),
  detectLocalMode: option(
    'detect-local-mode',
    'detectLocalMode',
    choiceKind(['ClusterCIDR', 'NodeCIDR', 'BridgeInterface', 'InterfaceNamePrefix']),
    'ClusterCIDR',
    'How traffic of pods on this node is recognised.',
  ),
  podBridgeInterface: option(
    'pod-bridge-interface',
    'detectLocal.bridgeInterface',
    textKind,
    '',
    'Bridge of the pods, for --detect-local-mode=BridgeInterface.',
    {
      defaultText: 'none',
    },
  ),
  podInterfaceNamePrefix: option(
    'pod-interface-name-prefix',
    'detectLocal.interfaceNamePrefix',
    textKind,
    '',
    "How names of the pods' devices begin, for --detect-local-mode=InterfaceNamePrefix.",
    { defaultText: 'none' },
  ),
  nodePortAddresses: option<readonly string[]>(
    'nodeport-addresses',
    'nodePortAddresses',
    nodePortAddressesKind,
    [],
    'Addresses of this node that serve node ports.',
    {
      defaultText: 'all',
    },
  ),
  masqueradeAll: option(
    'masquerade-all',
    'iptables.masqueradeAll',
    booleanKind,
    false,
    'Masquerade everything sent to ClusterIPs.',
  ),
  localhostNodePorts: option(
    'iptables-localhost-nodeports',
    'iptables.localhostNodePorts',
    booleanKind,
    true,
    'Serve node ports on loopback addresses to processes of the node.',
  ),
  oomScoreAdj: option('oom-score-adj', 'oomScoreAdj', integerKind(-1000, 1000), -999, "The process's oom_score_adj."),
  conntrackMaxPerCore: option(
    'conntrack-max-per-core',
    'conntrack.maxPerCore',
    integerKind(0),
    32_768,
    "Netfilter's connection limit for each CPU; 0 leaves it as it is.",
  ),
  conntrackMin: option('conntrack-min', 'conntrack.min', integerKind(0), 131_072, "Smallest limit for netfilter's connections."),
  conntrackTcpEstablishedTimeout: option(
    'conntrack-tcp-timeout-established',
    'conntrack.tcpEstablishedTimeout',
    notNegative,
    86_400_000,
    'Idle time of an established TCP flow; 0 is the built-in default.',
  ),
  conntrackTcpCloseWaitTimeout: option(
    'conntrack-tcp-timeout-close-wait',
    'conntrack.tcpCloseWaitTimeout',
    notNegative,
    3_600_000,
    'Idle time of a TCP flow that one side has closed; 0 is the built-in default.',
  ),
  conntrackTcpBeLiberal: option(
    'conntrack-tcp-be-liberal',
    'conntrack.tcpBeLiberal',
    booleanKind,
    false,
    'Let netfilter accept TCP segments outside the window.',
  ),
  conntrackUdpTimeout: option(
    'conntrack-udp-timeout',
    'conntrack.udpTimeout',
    notNegative,
    0,
    'Idle time of a UDP flow without a reply; 0 is the built-in default.',
  ),
  conntrackUdpStreamTimeout: option(
    'conntrack-udp-timeout-stream',
    'conntrack.udpStreamTimeout',
    notNegative,
    0,
    'Idle time of a UDP flow with a reply; 0 is the built-in default.',
  ),
  loggingFormat: option('logging-format', 'logging.format', choiceKind(['text', 'json']), 'text', 'How log lines look.', {
    besideConfig: true,
  }),
  verbosity: option('v', 'logging.verbosity', integerKind(0), 0, 'How much is logged: 0 (least) to 10.', { besideConfig: true }),
};

/** Flags that kube-proxy has and Turnout accepts without acting on them yet. 'boolean' ones need no value. */
export const IGNORED_FLAGS: Readonly<Record<string, 'boolean' | 'value'>> = {
  'config-sync-period': 'value',
  'feature-gates': 'value',
  'init-only': 'boolean',
  'iptables-masquerade-bit': 'value',
  'iptables-min-sync-period': 'value',
  'iptables-sync-period': 'value',
  'ipvs-exclude-cidrs': 'value',
  'ipvs-min-sync-period': 'value',
  'ipvs-scheduler': 'value',
  'ipvs-strict-arp': 'boolean',
  'ipvs-sync-period': 'value',
  'ipvs-tcp-timeout': 'value',
  'ipvs-tcpfin-timeout': 'value',
  'ipvs-udp-timeout': 'value',
  'kube-api-content-type': 'value',
  'log-flush-frequency': 'value',
  'log-json-info-buffer-size': 'value',
  'log-json-split-stream': 'boolean',
  'log-text-info-buffer-size': 'value',
  'log-text-split-stream': 'boolean',
  profiling: 'boolean',
  'show-hidden-metrics-for-version': 'value',
  vmodule: 'value',
  'write-config-to': 'value',
};

/** Fields that KubeProxyConfiguration has and Turnout reads without acting on them yet. A name that ends in .* covers what is below. */
export const IGNORED_FIELDS: readonly string[] = [
  'featureGates.*',
  'clientConnection.acceptContentTypes',
  'clientConnection.contentType',
  'logging.flushFrequency',
  'logging.vmodule',
  'logging.options.*',
  'enableProfiling',
  'showHiddenMetricsForVersion',
  'iptables.masqueradeBit',
  'iptables.syncPeriod',
  'iptables.minSyncPeriod',
  'ipvs.syncPeriod',
  'ipvs.minSyncPeriod',
  'ipvs.scheduler',
  'ipvs.excludeCIDRs',
  'ipvs.strictARP',
  'ipvs.tcpTimeout',
  'ipvs.tcpFinTimeout',
  'ipvs.udpTimeout',
  'nftables.masqueradeBit',
  'nftables.masqueradeAll',
  'nftables.syncPeriod',
  'nftables.minSyncPeriod',
  'winkernel.networkName',
  'winkernel.sourceVip',
  'winkernel.enableDSR',
  'winkernel.rootHnsEndpointName',
  'winkernel.forwardHealthCheckVip',
  'configSyncPeriod',
  'portRange',
  'windowsRunAsService',
];
