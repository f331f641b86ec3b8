// Configuration -> the programs' read-only variables and the tables' sizes.
import type { Config } from '../../config/config.ts';
import { addressOctets } from '../../datapath/address.ts';
import { type DatapathConfig, Detector, SocketPath } from '../../datapath/layout.gen.ts';
import { type Cidr, parseCidr } from '../../state/ip.ts';
import type { IpFamily } from '../../state/model.ts';
import { nodePortBlocks, servesLocalhost } from './node-addresses.ts';

const SOCKET_PATHS = {
  off: SocketPath.LB_SOCKET_PATH_OFF,
  tcp: SocketPath.LB_SOCKET_PATH_TCP,
  all: SocketPath.LB_SOCKET_PATH_ALL,
} as const;

// Used where the configuration says 0. The first two are kube-proxy's conntrack defaults, the UDP ones the kernel's.
const TCP_ESTABLISHED_MS = 24 * 3600 * 1000;
const TCP_CLOSE_WAIT_MS = 3600 * 1000;
const UDP_UNREPLIED_MS = 30 * 1000;
const UDP_STREAM_MS = 120 * 1000;
// Not configurable in kube-proxy: the kernel's defaults for nf_conntrack_tcp_timeout_syn_sent, rounded down, and _close.
const TCP_SYN_MS = 60 * 1000;
const TCP_CLOSED_MS = 10 * 1000;
// The kernel's nf_conntrack_sctp_timeout_established, and room for the retries of a handshake and of a shutdown.
const SCTP_INIT_MS = 30 * 1000;
const SCTP_ESTABLISHED_MS = 210 * 1000;
const SCTP_CLOSED_MS = 10 * 1000;
// The kernel waits 30 s for the rest of a datagram, but a busy sender uses an id again after 65,536 of them.
const FRAGMENT_PAUSE_MS = 2000;
// An older one is of another datagram with the same id, or of one that is lost anyway.
const FRAGMENT_HELD_MS = 1000;

// Stand for `primary`: whatever the node's own addresses are, loopback is not among them.
const NO_LOOPBACK = ['192.0.2.1', '2001:db8::1'];

const nanoseconds = (configuredMs: number, defaultMs: number): bigint => BigInt(configuredMs || defaultMs) * 1_000_000n;

interface DetectorSetting {
  readonly detector: number;
  readonly network: Uint8Array;
  readonly mask: Uint8Array;
}

/** How packets of local pods are recognised. A family without a pod range has no detector, as in kube-proxy. */
function detectorOf(config: Config, podCIDRs: readonly string[], family: IpFamily): DetectorSetting {
  const zero = addressOctets('::');
  if (config.detectLocalMode === 'BridgeInterface' || config.detectLocalMode === 'InterfaceNamePrefix') {
    return { detector: Detector.LB_DETECTOR_DEVICE, network: zero, mask: zero };
  }
  const ranges = { ClusterCIDR: config.clusterCIDRs, NodeCIDR: podCIDRs }[config.detectLocalMode];
  const range = ranges?.map(parseCidr).find((cidr): cidr is Cidr => cidr?.family === family);
  if (!range) return { detector: Detector.LB_DETECTOR_NONE, network: zero, mask: zero };
  return { detector: Detector.LB_DETECTOR_CIDR, network: range.network, mask: range.mask };
}

/** podCIDRs: of this node, for detectLocalMode NodeCIDR. netnsCookie: of the node's network namespace. */
export function datapathConfig(config: Config, podCIDRs: readonly string[], netnsCookie: bigint): DatapathConfig {
  const { ebpf, conntrack } = config;
  const v4 = detectorOf(config, podCIDRs, 'IPv4');
  const v6 = detectorOf(config, podCIDRs, 'IPv6');
  const blocks = nodePortBlocks(config.nodePortAddresses, NO_LOOPBACK);
  return {
    hostNetnsCookie: netnsCookie,
    socketPath: SOCKET_PATHS[ebpf.socketPath.mode],
    excludesCgroups: ebpf.socketPath.exclude.length > 0 ? 1 : 0,
    detectorV4: v4.detector,
    detectorV6: v6.detector,
    podCidrV4: v4.network,
    podCidrV6: v6.network,
    podMaskV4: v4.mask,
    podMaskV6: v6.mask,
    masqueradeAll: config.masqueradeAll ? 1 : 0,
    localhostNodePortsV4: config.localhostNodePorts && servesLocalhost(blocks, 'IPv4') ? 1 : 0,
    localhostNodePortsV6: config.localhostNodePorts && servesLocalhost(blocks, 'IPv6') ? 1 : 0,
    masqueradeMark: (1 << ebpf.masqueradeMarkBit) >>> 0,
    snatPortMin: ebpf.snatPortRange.min,
    snatPortMax: ebpf.snatPortRange.max,
    flowStates: ebpf.flowTableSize,
    flowCounters: 1,
    rejectsPerSecond: ebpf.rejectsPerSecond,
    tcpSynNs: nanoseconds(0, TCP_SYN_MS),
    tcpEstablishedNs: nanoseconds(conntrack.tcpEstablishedTimeoutMs, TCP_ESTABLISHED_MS),
    tcpCloseWaitNs: nanoseconds(conntrack.tcpCloseWaitTimeoutMs, TCP_CLOSE_WAIT_MS),
    tcpClosedNs: nanoseconds(0, TCP_CLOSED_MS),
    udpUnrepliedNs: nanoseconds(conntrack.udpTimeoutMs, UDP_UNREPLIED_MS),
    udpStreamNs: nanoseconds(conntrack.udpStreamTimeoutMs, UDP_STREAM_MS),
    sctpInitNs: nanoseconds(0, SCTP_INIT_MS),
    sctpEstablishedNs: nanoseconds(0, SCTP_ESTABLISHED_MS),
    sctpClosedNs: nanoseconds(0, SCTP_CLOSED_MS),
    fragmentPauseNs: nanoseconds(0, FRAGMENT_PAUSE_MS),
    fragmentHeldNs: nanoseconds(0, FRAGMENT_HELD_MS),
  };
}

/** Rows of the tables whose size is configured. A flow has two to four entries, five on a bridge. */
export function tableSizes(config: Config): Readonly<Record<string, number>> {
  const { flowTableSize, serviceTableSize, backendTableSize, affinityTableSize } = config.ebpf;
  return {
    flow_states: flowTableSize,
    flows: flowTableSize * 4,
    frontends: serviceTableSize,
    service_names: serviceTableSize,
    service_stats: serviceTableSize,
    backends: backendTableSize,
    backend_states: backendTableSize,
    backend_stats: backendTableSize,
    // A ClusterIP has one row for all its ports; the rest is room for the node's own addresses and for ranges.
    addresses: Math.max(serviceTableSize, 4096),
    source_ranges: Math.max(serviceTableSize, 4096),
    affinity: affinityTableSize,
  };
}
