// Made by `make gen` from the BTF of the compiled object. Do not edit: change bpf/lb.h and make it again.
import { readOctets, readText, viewOf, writeText } from './bytes.ts';

/** One line for each field of each table; compared with the object that is loaded. */
export const LAYOUT: readonly string[] = [
  'addresses type 1 key 16 value 4',
  'addresses.key 0 union lb_addr',
  'addresses.value.flags 0 u32',
  'affinity type 9 key 20 value 40',
  'affinity.key.service_id 0 u32',
  'affinity.key.client 4 union lb_addr',
  'affinity.value.last_used_ns 0 u64',
  'affinity.value.backend.address 8 union lb_addr',
  'affinity.value.backend.port 24 be16',
  'affinity.value.backend.flags 26 u16',
  'affinity.value.backend.service_id 28 u32',
  'affinity.value.backend.backend_id 32 u32',
  'affinity.value.backend.generation 36 u32',
  'backend_states type 2 key 4 value 8',
  'backend_states.key 0 u32',
  'backend_states.value.generation 0 u32',
  'backend_states.value.lists 4 u32',
  'backend_stats type 2 key 4 value 64',
  'backend_stats.key 0 u32',
  'backend_stats.value.connections 0 u64',
  'backend_stats.value.rejects 8 u64',
  'backend_stats.value.drops 16 u64',
  'backend_stats.value.sockets_open 24 u64',
  'backend_stats.value.request_packets 32 u64',
  'backend_stats.value.request_bytes 40 u64',
  'backend_stats.value.reply_packets 48 u64',
  'backend_stats.value.reply_bytes 56 u64',
  'backends type 2 key 4 value 32',
  'backends.key 0 u32',
  'backends.value.address 0 union lb_addr',
  'backends.value.port 16 be16',
  'backends.value.flags 18 u16',
  'backends.value.service_id 20 u32',
  'backends.value.backend_id 24 u32',
  'backends.value.generation 28 u32',
  'counters type 6 key 4 value 8',
  'counters.key 0 u32',
  'counters.value 0 u64',
  'devices type 1 key 4 value 40',
  'devices.key 0 u32',
  'devices.value.source_v4 0 union lb_addr',
  'devices.value.source_v6 16 union lb_addr',
  'devices.value.mac 32 u8[6]',
  'devices.value.l2_length 38 u8',
  'devices.value.flags 39 u8',
  'events type 27 key 0 value 0',
  'excluded_cgroups type 1 key 8 value 4',
  'excluded_cgroups.key 0 u64',
  'excluded_cgroups.value 0 u32',
  'flow_states type 2 key 4 value 192',
  'flow_states.key 0 u32',
  'flow_states.value.last_seen_ns 0 u64',
  'flow_states.value.claim 8 u32',
  'flow_states.value.flags 12 u32',
  'flow_states.value.service_id 16 u32',
  'flow_states.value.backend_id 20 u32',
  'flow_states.value.backend_generation 24 u32',
  'flow_states.value.pad 28 u32',
  'flow_states.value.request_packets 32 u64',
  'flow_states.value.request_bytes 40 u64',
  'flow_states.value.reply_packets 48 u64',
  'flow_states.value.reply_bytes 56 u64',
  'flow_states.value.started_ns 64 u64',
  'flow_states.value.client 72 union lb_addr',
  'flow_states.value.frontend 88 union lb_addr',
  'flow_states.value.backend 104 union lb_addr',
  'flow_states.value.source 120 union lb_addr',
  'flow_states.value.client_port 136 be16',
  'flow_states.value.frontend_port 138 be16',
  'flow_states.value.backend_port 140 be16',
  'flow_states.value.source_port 142 be16',
  'flow_states.value.stack_port 144 be16',
  'flow_states.value.protocol 146 u8',
  'flow_states.value.pad2 147 u8[45]',
  'flows type 1 key 40 value 32',
  'flows.key.source 0 union lb_addr',
  'flows.key.destination 16 union lb_addr',
  'flows.key.source_port 32 be16',
  'flows.key.destination_port 34 be16',
  'flows.key.protocol 36 u8',
  'flows.key.direction 37 u8',
  'flows.key.pad 38 u16',
  'flows.value.address 0 union lb_addr',
  'flows.value.source_port 16 be16',
  'flows.value.destination_port 18 be16',
  'flows.value.flow_id 20 u32',
  'flows.value.claim 24 u32',
  'flows.value.flags 28 u32',
  'fragments type 9 key 40 value 24',
  'fragments.key.source 0 union lb_addr',
  'fragments.key.destination 16 union lb_addr',
  'fragments.key.id 32 be32',
  'fragments.key.protocol 36 u8',
  'fragments.key.direction 37 u8',
  'fragments.key.pad 38 u16',
  'fragments.value.last_seen_ns 0 u64',
  'fragments.value.held 8 u32',
  'fragments.value.source_port 12 be16',
  'fragments.value.destination_port 14 be16',
  'fragments.value.protocol 16 u8',
  'fragments.value.pad 17 u8[7]',
  'frontends type 1 key 20 value 40',
  'frontends.key.address 0 union lb_addr',
  'frontends.key.port 16 be16',
  'frontends.key.protocol 18 u8',
  'frontends.key.pad 19 u8',
  'frontends.value.cluster.base 0 u32',
  'frontends.value.cluster.count 4 u32',
  'frontends.value.local.base 8 u32',
  'frontends.value.local.count 12 u32',
  'frontends.value.lingering.base 16 u32',
  'frontends.value.lingering.count 20 u32',
  'frontends.value.service_id 24 u32',
  'frontends.value.flags 28 u32',
  'frontends.value.affinity_seconds 32 u32',
  'frontends.value.generation 36 u32',
  'held_fragments type 2 key 4 value 2048',
  'held_fragments.key 0 u32',
  'held_fragments.value.key.source 0 union lb_addr',
  'held_fragments.value.key.destination 16 union lb_addr',
  'held_fragments.value.key.id 32 be32',
  'held_fragments.value.key.protocol 36 u8',
  'held_fragments.value.key.direction 37 u8',
  'held_fragments.value.key.pad 38 u16',
  'held_fragments.value.held_ns 40 u64',
  'held_fragments.value.state 48 u32',
  'held_fragments.value.next 52 u32',
  'held_fragments.value.length 56 u32',
  'held_fragments.value.pad 60 u32',
  'held_fragments.value.octets 64 u8[1984]',
  'held_next type 2 key 4 value 4',
  'held_next.key 0 u32',
  'held_next.value 0 u32',
  'host_aliases type 1 key 16 value 16',
  'host_aliases.key 0 union lb_addr',
  'host_aliases.value 0 union lb_addr',
  'monitor type 2 key 4 value 24',
  'monitor.key 0 u32',
  'monitor.value.until_ns 0 u64',
  'monitor.value.missed 8 u64',
  'monitor.value.kinds 16 u32',
  'monitor.value.pad 20 u32',
  'monitored type 27 key 0 value 0',
  'rate_limits type 6 key 4 value 16',
  'rate_limits.key 0 u32',
  'rate_limits.value.window_ns 0 u64',
  'rate_limits.value.used 8 u32',
  'rate_limits.value.pad 12 u32',
  'service_cidrs type 11 key 20 value 4',
  'service_cidrs.key.prefix_length 0 u32',
  'service_cidrs.key.address 4 union lb_addr',
  'service_cidrs.value 0 u32',
  'service_names type 1 key 4 value 192',
  'service_names.key 0 u32',
  'service_names.value.namespace_name 0 char[64]',
  'service_names.value.name 64 char[64]',
  'service_names.value.port_name 128 char[64]',
  'service_stats type 2 key 4 value 64',
  'service_stats.key 0 u32',
  'service_stats.value.connections 0 u64',
  'service_stats.value.rejects 8 u64',
  'service_stats.value.drops 16 u64',
  'service_stats.value.sockets_open 24 u64',
  'service_stats.value.request_packets 32 u64',
  'service_stats.value.request_bytes 40 u64',
  'service_stats.value.reply_packets 48 u64',
  'service_stats.value.reply_bytes 56 u64',
  'sock_peer type 24 key 4 value 44',
  'sock_peer.key 0 int',
  'sock_peer.value.frontend 0 union lb_addr',
  'sock_peer.value.backend 16 union lb_addr',
  'sock_peer.value.frontend_port 32 be16',
  'sock_peer.value.backend_port 34 be16',
  'sock_peer.value.backend_id 36 u32',
  'sock_peer.value.backend_generation 40 u32',
  'sock_peers type 24 key 4 value 180',
  'sock_peers.key 0 int',
  'sock_peers.value.pair 0 struct lb_sock_pair[4]',
  'sock_peers.value.next 176 u32',
  'source_ranges type 11 key 24 value 4',
  'source_ranges.key.prefix_length 0 u32',
  'source_ranges.key.service_id 4 u32',
  'source_ranges.key.address 8 union lb_addr',
  'source_ranges.value 0 u32',
  'udp_sockets type 1 key 8 value 28',
  'udp_sockets.key 0 u64',
  'udp_sockets.value.backend 0 union lb_addr',
  'udp_sockets.value.backend_port 16 be16',
  'udp_sockets.value.pad 18 u16',
  'udp_sockets.value.backend_id 20 u32',
  'udp_sockets.value.backend_generation 24 u32',
];

/** enum lb_direction */
export const Direction = {
  LB_IN: 0,
  LB_OUT: 1,
} as const;

/** enum lb_counter */
export const Counter = {
  LB_FLOW_NEW: 0,
  LB_FLOW_EXPIRED: 1,
  LB_FLOW_RESELECTED: 2,
  LB_FLOW_EVICTED: 3,
  LB_FLOW_REPAIRED: 4,
  LB_FLOW_GUARDED: 5,
  LB_SNAT_ALLOCATED: 6,
  LB_SOCKET_TRANSLATED: 7,
  LB_SOCKET_DECLINED: 8,
  LB_SOCKET_EXCLUDED: 9,
  LB_SOCKET_REFUSED: 10,
  LB_REJECT_SENT: 11,
  LB_ICMP_TRANSLATED: 12,
  LB_FRAGMENT_HELD: 13,
  LB_FRAGMENT_RELEASED: 14,
  LB_DROP_REJECT_LIMITED: 15,
  LB_DROP_NO_LOCAL_ENDPOINT: 16,
  LB_DROP_SOURCE_RANGE: 17,
  LB_DROP_UNALLOCATED: 18,
  LB_DROP_NO_FLOW: 19,
  LB_DROP_FLOWS_FULL: 20,
  LB_DROP_PORT_COLLISION: 21,
  LB_DROP_SNAT_EXHAUSTED: 22,
  LB_DROP_SNAT_RACED: 23,
  LB_DROP_NO_SOURCE: 24,
  LB_DROP_STALE_LIST: 25,
  LB_DROP_REWRITE_FAILED: 26,
  LB_DROP_FRAGMENT: 27,
  LB_DROP_ICMP_REDIRECT: 28,
  LB_DROP_NO_ALIAS: 29,
  LB_DROP_HOST_PORT: 30,
  LB_COUNTER_MAX: 31,
} as const;

/** enum lb_socket_path */
export const SocketPath = {
  LB_SOCKET_PATH_OFF: 0,
  LB_SOCKET_PATH_TCP: 1,
  LB_SOCKET_PATH_ALL: 2,
} as const;

/** enum lb_detector */
export const Detector = {
  LB_DETECTOR_NONE: 0,
  LB_DETECTOR_CIDR: 1,
  LB_DETECTOR_DEVICE: 2,
} as const;

/** enum lb_socket_verdict */
export const SocketVerdict = {
  LB_SOCKET_NOT_OURS: 0,
  LB_SOCKET_GIVEN: 1,
  LB_SOCKET_TURNED_AWAY: 2,
  LB_SOCKET_LEFT: 3,
} as const;

/** enum lb_frontend_flag */
export const FrontendFlag = {
  LB_FRONTEND_EXTERNAL: 1,
  LB_FRONTEND_LOCAL_ONLY: 2,
  LB_FRONTEND_HAS_ENDPOINTS: 4,
  LB_FRONTEND_NODE_PORT: 8,
  LB_FRONTEND_AFFINITY: 16,
  LB_FRONTEND_HAS_LOCAL: 32,
  LB_FRONTEND_SOURCE_RANGES: 64,
} as const;

/** enum lb_backend_flag */
export const BackendFlag = {
  LB_BACKEND_LOCAL: 1,
} as const;

/** enum lb_backend_list */
export const BackendList = {
  LB_LIST_CLUSTER: 1,
  LB_LIST_LOCAL: 2,
} as const;

/** enum lb_address_flag */
export const AddressFlag = {
  LB_ADDRESS_NODE: 1,
  LB_ADDRESS_NODE_PORT: 2,
  LB_ADDRESS_CLUSTER_IP: 4,
  LB_ADDRESS_EXTERNAL: 8,
} as const;

/** enum lb_device_flag */
export const DeviceFlag = {
  LB_DEVICE_BRIDGE_PORT: 1,
  LB_DEVICE_POD: 2,
  LB_DEVICE_HOST: 4,
  LB_DEVICE_HOST_END: 8,
} as const;

/** enum lb_rewrite_flag */
export const RewriteFlag = {
  LB_REWRITE_REPLY: 1,
  LB_REWRITE_PENDING: 2,
  LB_REWRITE_STEER: 4,
  LB_REWRITE_MASQUERADE: 8,
} as const;

/** enum lb_flow_flag */
export const FlowFlag = {
  LB_FLOW_REPLIED: 1,
  LB_FLOW_ESTABLISHED: 2,
  LB_FLOW_CLIENT_FIN: 4,
  LB_FLOW_BACKEND_FIN: 8,
  LB_FLOW_RESET: 16,
  LB_FLOW_SNAT: 32,
  LB_FLOW_STEERED: 64,
  LB_FLOW_MASQUERADE: 128,
  LB_FLOW_OWN_ADDRESS: 256,
  LB_FLOW_GUARD: 512,
  LB_FLOW_BACKEND_RESET: 1024,
  LB_FLOW_RESOLVING: 2048,
} as const;

/** enum lb_held_state */
export const HeldState = {
  LB_HELD_FREE: 0,
  LB_HELD_BUSY: 1,
  LB_HELD_READY: 2,
} as const;

/** enum lb_event_kind */
export const EventKind = {
  LB_EVENT_REFUSED: 0,
  LB_EVENT_REJECTED: 1,
  LB_EVENT_FLOW_NEW: 2,
  LB_EVENT_SOCKET: 3,
} as const;

/** struct lb_flow_key, 40 octets. */
export interface FlowKey {
  source: Uint8Array;
  destination: Uint8Array;
  sourcePort: number;
  destinationPort: number;
  protocol: number;
  direction: number;
}
export const LB_FLOW_KEY_SIZE = 40;
export function readFlowKey(bytes: Uint8Array, at = 0): FlowKey {
  const view = viewOf(bytes);
  return {
    source: readOctets(bytes, at, 16),
    destination: readOctets(bytes, at + 16, 16),
    sourcePort: view.getUint16(at + 32, false),
    destinationPort: view.getUint16(at + 34, false),
    protocol: view.getUint8(at + 36),
    direction: view.getUint8(at + 37),
  };
}
export function writeFlowKey(bytes: Uint8Array, at: number, value: FlowKey): void {
  const view = viewOf(bytes);
  bytes.set(value.source, at);
  bytes.set(value.destination, at + 16);
  view.setUint16(at + 32, value.sourcePort, false);
  view.setUint16(at + 34, value.destinationPort, false);
  view.setUint8(at + 36, value.protocol);
  view.setUint8(at + 37, value.direction);
}

/** struct lb_rewrite, 32 octets. */
export interface Rewrite {
  address: Uint8Array;
  sourcePort: number;
  destinationPort: number;
  flowId: number;
  claim: number;
  flags: number;
}
export const LB_REWRITE_SIZE = 32;
export function readRewrite(bytes: Uint8Array, at = 0): Rewrite {
  const view = viewOf(bytes);
  return {
    address: readOctets(bytes, at, 16),
    sourcePort: view.getUint16(at + 16, false),
    destinationPort: view.getUint16(at + 18, false),
    flowId: view.getUint32(at + 20, true),
    claim: view.getUint32(at + 24, true),
    flags: view.getUint32(at + 28, true),
  };
}
export function writeRewrite(bytes: Uint8Array, at: number, value: Rewrite): void {
  const view = viewOf(bytes);
  bytes.set(value.address, at);
  view.setUint16(at + 16, value.sourcePort, false);
  view.setUint16(at + 18, value.destinationPort, false);
  view.setUint32(at + 20, value.flowId, true);
  view.setUint32(at + 24, value.claim, true);
  view.setUint32(at + 28, value.flags, true);
}

/** struct lb_device, 40 octets. */
export interface Device {
  sourceV4: Uint8Array;
  sourceV6: Uint8Array;
  mac: Uint8Array;
  l2Length: number;
  flags: number;
}
export const LB_DEVICE_SIZE = 40;
export function readDevice(bytes: Uint8Array, at = 0): Device {
  const view = viewOf(bytes);
  return {
    sourceV4: readOctets(bytes, at, 16),
    sourceV6: readOctets(bytes, at + 16, 16),
    mac: readOctets(bytes, at + 32, 6),
    l2Length: view.getUint8(at + 38),
    flags: view.getUint8(at + 39),
  };
}
export function writeDevice(bytes: Uint8Array, at: number, value: Device): void {
  const view = viewOf(bytes);
  bytes.set(value.sourceV4, at);
  bytes.set(value.sourceV6, at + 16);
  bytes.set(value.mac, at + 32);
  view.setUint8(at + 38, value.l2Length);
  view.setUint8(at + 39, value.flags);
}

/** struct lb_sock_pair, 44 octets. */
export interface SockPair {
  frontend: Uint8Array;
  backend: Uint8Array;
  frontendPort: number;
  backendPort: number;
  backendId: number;
  backendGeneration: number;
}
export const LB_SOCK_PAIR_SIZE = 44;
export function readSockPair(bytes: Uint8Array, at = 0): SockPair {
  const view = viewOf(bytes);
  return {
    frontend: readOctets(bytes, at, 16),
    backend: readOctets(bytes, at + 16, 16),
    frontendPort: view.getUint16(at + 32, false),
    backendPort: view.getUint16(at + 34, false),
    backendId: view.getUint32(at + 36, true),
    backendGeneration: view.getUint32(at + 40, true),
  };
}
export function writeSockPair(bytes: Uint8Array, at: number, value: SockPair): void {
  const view = viewOf(bytes);
  bytes.set(value.frontend, at);
  bytes.set(value.backend, at + 16);
  view.setUint16(at + 32, value.frontendPort, false);
  view.setUint16(at + 34, value.backendPort, false);
  view.setUint32(at + 36, value.backendId, true);
  view.setUint32(at + 40, value.backendGeneration, true);
}

/** struct lb_udp_socket, 28 octets. */
export interface UdpSocket {
  backend: Uint8Array;
  backendPort: number;
  backendId: number;
  backendGeneration: number;
}
export const LB_UDP_SOCKET_SIZE = 28;
export function readUdpSocket(bytes: Uint8Array, at = 0): UdpSocket {
  const view = viewOf(bytes);
  return {
    backend: readOctets(bytes, at, 16),
    backendPort: view.getUint16(at + 16, false),
    backendId: view.getUint32(at + 20, true),
    backendGeneration: view.getUint32(at + 24, true),
  };
}
export function writeUdpSocket(bytes: Uint8Array, at: number, value: UdpSocket): void {
  const view = viewOf(bytes);
  bytes.set(value.backend, at);
  view.setUint16(at + 16, value.backendPort, false);
  view.setUint32(at + 20, value.backendId, true);
  view.setUint32(at + 24, value.backendGeneration, true);
}

/** struct lb_frontend_key, 20 octets. */
export interface FrontendKey {
  address: Uint8Array;
  port: number;
  protocol: number;
}
export const LB_FRONTEND_KEY_SIZE = 20;
export function readFrontendKey(bytes: Uint8Array, at = 0): FrontendKey {
  const view = viewOf(bytes);
  return {
    address: readOctets(bytes, at, 16),
    port: view.getUint16(at + 16, false),
    protocol: view.getUint8(at + 18),
  };
}
export function writeFrontendKey(bytes: Uint8Array, at: number, value: FrontendKey): void {
  const view = viewOf(bytes);
  bytes.set(value.address, at);
  view.setUint16(at + 16, value.port, false);
  view.setUint8(at + 18, value.protocol);
}

/** struct lb_extent, 8 octets. */
export interface Extent {
  base: number;
  count: number;
}
export const LB_EXTENT_SIZE = 8;
export function readExtent(bytes: Uint8Array, at = 0): Extent {
  const view = viewOf(bytes);
  return {
    base: view.getUint32(at, true),
    count: view.getUint32(at + 4, true),
  };
}
export function writeExtent(bytes: Uint8Array, at: number, value: Extent): void {
  const view = viewOf(bytes);
  view.setUint32(at, value.base, true);
  view.setUint32(at + 4, value.count, true);
}

/** struct lb_frontend, 40 octets. */
export interface Frontend {
  cluster: Extent;
  local: Extent;
  lingering: Extent;
  serviceId: number;
  flags: number;
  affinitySeconds: number;
  generation: number;
}
export const LB_FRONTEND_SIZE = 40;
export function readFrontend(bytes: Uint8Array, at = 0): Frontend {
  const view = viewOf(bytes);
  return {
    cluster: readExtent(bytes, at),
    local: readExtent(bytes, at + 8),
    lingering: readExtent(bytes, at + 16),
    serviceId: view.getUint32(at + 24, true),
    flags: view.getUint32(at + 28, true),
    affinitySeconds: view.getUint32(at + 32, true),
    generation: view.getUint32(at + 36, true),
  };
}
export function writeFrontend(bytes: Uint8Array, at: number, value: Frontend): void {
  const view = viewOf(bytes);
  writeExtent(bytes, at, value.cluster);
  writeExtent(bytes, at + 8, value.local);
  writeExtent(bytes, at + 16, value.lingering);
  view.setUint32(at + 24, value.serviceId, true);
  view.setUint32(at + 28, value.flags, true);
  view.setUint32(at + 32, value.affinitySeconds, true);
  view.setUint32(at + 36, value.generation, true);
}

/** struct lb_backend, 32 octets. */
export interface Backend {
  address: Uint8Array;
  port: number;
  flags: number;
  serviceId: number;
  backendId: number;
  generation: number;
}
export const LB_BACKEND_SIZE = 32;
export function readBackend(bytes: Uint8Array, at = 0): Backend {
  const view = viewOf(bytes);
  return {
    address: readOctets(bytes, at, 16),
    port: view.getUint16(at + 16, false),
    flags: view.getUint16(at + 18, true),
    serviceId: view.getUint32(at + 20, true),
    backendId: view.getUint32(at + 24, true),
    generation: view.getUint32(at + 28, true),
  };
}
export function writeBackend(bytes: Uint8Array, at: number, value: Backend): void {
  const view = viewOf(bytes);
  bytes.set(value.address, at);
  view.setUint16(at + 16, value.port, false);
  view.setUint16(at + 18, value.flags, true);
  view.setUint32(at + 20, value.serviceId, true);
  view.setUint32(at + 24, value.backendId, true);
  view.setUint32(at + 28, value.generation, true);
}

/** struct lb_backend_state, 8 octets. */
export interface BackendState {
  generation: number;
  lists: number;
}
export const LB_BACKEND_STATE_SIZE = 8;
export function readBackendState(bytes: Uint8Array, at = 0): BackendState {
  const view = viewOf(bytes);
  return {
    generation: view.getUint32(at, true),
    lists: view.getUint32(at + 4, true),
  };
}
export function writeBackendState(bytes: Uint8Array, at: number, value: BackendState): void {
  const view = viewOf(bytes);
  view.setUint32(at, value.generation, true);
  view.setUint32(at + 4, value.lists, true);
}

/** struct lb_affinity_key, 20 octets. */
export interface AffinityKey {
  serviceId: number;
  client: Uint8Array;
}
export const LB_AFFINITY_KEY_SIZE = 20;
export function readAffinityKey(bytes: Uint8Array, at = 0): AffinityKey {
  const view = viewOf(bytes);
  return {
    serviceId: view.getUint32(at, true),
    client: readOctets(bytes, at + 4, 16),
  };
}
export function writeAffinityKey(bytes: Uint8Array, at: number, value: AffinityKey): void {
  const view = viewOf(bytes);
  view.setUint32(at, value.serviceId, true);
  bytes.set(value.client, at + 4);
}

/** struct lb_affinity, 40 octets. */
export interface Affinity {
  lastUsedNs: bigint;
  backend: Backend;
}
export const LB_AFFINITY_SIZE = 40;
export function readAffinity(bytes: Uint8Array, at = 0): Affinity {
  const view = viewOf(bytes);
  return {
    lastUsedNs: view.getBigUint64(at, true),
    backend: readBackend(bytes, at + 8),
  };
}
export function writeAffinity(bytes: Uint8Array, at: number, value: Affinity): void {
  const view = viewOf(bytes);
  view.setBigUint64(at, value.lastUsedNs, true);
  writeBackend(bytes, at + 8, value.backend);
}

/** struct lb_source_range_key, 24 octets. */
export interface SourceRangeKey {
  prefixLength: number;
  serviceId: number;
  address: Uint8Array;
}
export const LB_SOURCE_RANGE_KEY_SIZE = 24;
export function readSourceRangeKey(bytes: Uint8Array, at = 0): SourceRangeKey {
  const view = viewOf(bytes);
  return {
    prefixLength: view.getUint32(at, true),
    serviceId: view.getUint32(at + 4, true),
    address: readOctets(bytes, at + 8, 16),
  };
}
export function writeSourceRangeKey(bytes: Uint8Array, at: number, value: SourceRangeKey): void {
  const view = viewOf(bytes);
  view.setUint32(at, value.prefixLength, true);
  view.setUint32(at + 4, value.serviceId, true);
  bytes.set(value.address, at + 8);
}

/** struct lb_service_cidr_key, 20 octets. */
export interface ServiceCidrKey {
  prefixLength: number;
  address: Uint8Array;
}
export const LB_SERVICE_CIDR_KEY_SIZE = 20;
export function readServiceCidrKey(bytes: Uint8Array, at = 0): ServiceCidrKey {
  const view = viewOf(bytes);
  return {
    prefixLength: view.getUint32(at, true),
    address: readOctets(bytes, at + 4, 16),
  };
}
export function writeServiceCidrKey(bytes: Uint8Array, at: number, value: ServiceCidrKey): void {
  const view = viewOf(bytes);
  view.setUint32(at, value.prefixLength, true);
  bytes.set(value.address, at + 4);
}

/** struct lb_service_name, 192 octets. */
export interface ServiceName {
  namespaceName: string;
  name: string;
  portName: string;
}
export const LB_SERVICE_NAME_SIZE = 192;
export function readServiceName(bytes: Uint8Array, at = 0): ServiceName {
  return {
    namespaceName: readText(bytes, at, 64),
    name: readText(bytes, at + 64, 64),
    portName: readText(bytes, at + 128, 64),
  };
}
export function writeServiceName(bytes: Uint8Array, at: number, value: ServiceName): void {
  writeText(bytes, at, 64, value.namespaceName);
  writeText(bytes, at + 64, 64, value.name);
  writeText(bytes, at + 128, 64, value.portName);
}

/** struct lb_address, 4 octets. */
export interface Address {
  flags: number;
}
export const LB_ADDRESS_SIZE = 4;
export function readAddress(bytes: Uint8Array, at = 0): Address {
  const view = viewOf(bytes);
  return {
    flags: view.getUint32(at, true),
  };
}
export function writeAddress(bytes: Uint8Array, at: number, value: Address): void {
  const view = viewOf(bytes);
  view.setUint32(at, value.flags, true);
}

/** struct lb_flow_state, 192 octets. */
export interface FlowState {
  lastSeenNs: bigint;
  claim: number;
  flags: number;
  serviceId: number;
  backendId: number;
  backendGeneration: number;
  requestPackets: bigint;
  requestBytes: bigint;
  replyPackets: bigint;
  replyBytes: bigint;
  startedNs: bigint;
  client: Uint8Array;
  frontend: Uint8Array;
  backend: Uint8Array;
  source: Uint8Array;
  clientPort: number;
  frontendPort: number;
  backendPort: number;
  sourcePort: number;
  stackPort: number;
  protocol: number;
}
export const LB_FLOW_STATE_SIZE = 192;
export function readFlowState(bytes: Uint8Array, at = 0): FlowState {
  const view = viewOf(bytes);
  return {
    lastSeenNs: view.getBigUint64(at, true),
    claim: view.getUint32(at + 8, true),
    flags: view.getUint32(at + 12, true),
    serviceId: view.getUint32(at + 16, true),
    backendId: view.getUint32(at + 20, true),
    backendGeneration: view.getUint32(at + 24, true),
    requestPackets: view.getBigUint64(at + 32, true),
    requestBytes: view.getBigUint64(at + 40, true),
    replyPackets: view.getBigUint64(at + 48, true),
    replyBytes: view.getBigUint64(at + 56, true),
    startedNs: view.getBigUint64(at + 64, true),
    client: readOctets(bytes, at + 72, 16),
    frontend: readOctets(bytes, at + 88, 16),
    backend: readOctets(bytes, at + 104, 16),
    source: readOctets(bytes, at + 120, 16),
    clientPort: view.getUint16(at + 136, false),
    frontendPort: view.getUint16(at + 138, false),
    backendPort: view.getUint16(at + 140, false),
    sourcePort: view.getUint16(at + 142, false),
    stackPort: view.getUint16(at + 144, false),
    protocol: view.getUint8(at + 146),
  };
}
export function writeFlowState(bytes: Uint8Array, at: number, value: FlowState): void {
  const view = viewOf(bytes);
  view.setBigUint64(at, value.lastSeenNs, true);
  view.setUint32(at + 8, value.claim, true);
  view.setUint32(at + 12, value.flags, true);
  view.setUint32(at + 16, value.serviceId, true);
  view.setUint32(at + 20, value.backendId, true);
  view.setUint32(at + 24, value.backendGeneration, true);
  view.setBigUint64(at + 32, value.requestPackets, true);
  view.setBigUint64(at + 40, value.requestBytes, true);
  view.setBigUint64(at + 48, value.replyPackets, true);
  view.setBigUint64(at + 56, value.replyBytes, true);
  view.setBigUint64(at + 64, value.startedNs, true);
  bytes.set(value.client, at + 72);
  bytes.set(value.frontend, at + 88);
  bytes.set(value.backend, at + 104);
  bytes.set(value.source, at + 120);
  view.setUint16(at + 136, value.clientPort, false);
  view.setUint16(at + 138, value.frontendPort, false);
  view.setUint16(at + 140, value.backendPort, false);
  view.setUint16(at + 142, value.sourcePort, false);
  view.setUint16(at + 144, value.stackPort, false);
  view.setUint8(at + 146, value.protocol);
}

/** struct lb_fragment_key, 40 octets. */
export interface FragmentKey {
  source: Uint8Array;
  destination: Uint8Array;
  id: number;
  protocol: number;
  direction: number;
}
export const LB_FRAGMENT_KEY_SIZE = 40;
export function readFragmentKey(bytes: Uint8Array, at = 0): FragmentKey {
  const view = viewOf(bytes);
  return {
    source: readOctets(bytes, at, 16),
    destination: readOctets(bytes, at + 16, 16),
    id: view.getUint32(at + 32, false),
    protocol: view.getUint8(at + 36),
    direction: view.getUint8(at + 37),
  };
}
export function writeFragmentKey(bytes: Uint8Array, at: number, value: FragmentKey): void {
  const view = viewOf(bytes);
  bytes.set(value.source, at);
  bytes.set(value.destination, at + 16);
  view.setUint32(at + 32, value.id, false);
  view.setUint8(at + 36, value.protocol);
  view.setUint8(at + 37, value.direction);
}

/** struct lb_fragment, 24 octets. */
export interface Fragment {
  lastSeenNs: bigint;
  held: number;
  sourcePort: number;
  destinationPort: number;
  protocol: number;
}
export const LB_FRAGMENT_SIZE = 24;
export function readFragment(bytes: Uint8Array, at = 0): Fragment {
  const view = viewOf(bytes);
  return {
    lastSeenNs: view.getBigUint64(at, true),
    held: view.getUint32(at + 8, true),
    sourcePort: view.getUint16(at + 12, false),
    destinationPort: view.getUint16(at + 14, false),
    protocol: view.getUint8(at + 16),
  };
}
export function writeFragment(bytes: Uint8Array, at: number, value: Fragment): void {
  const view = viewOf(bytes);
  view.setBigUint64(at, value.lastSeenNs, true);
  view.setUint32(at + 8, value.held, true);
  view.setUint16(at + 12, value.sourcePort, false);
  view.setUint16(at + 14, value.destinationPort, false);
  view.setUint8(at + 16, value.protocol);
}

/** struct lb_held_fragment, 2048 octets. */
export interface HeldFragment {
  key: FragmentKey;
  heldNs: bigint;
  state: number;
  next: number;
  length: number;
  octets: Uint8Array;
}
export const LB_HELD_FRAGMENT_SIZE = 2048;
export function readHeldFragment(bytes: Uint8Array, at = 0): HeldFragment {
  const view = viewOf(bytes);
  return {
    key: readFragmentKey(bytes, at),
    heldNs: view.getBigUint64(at + 40, true),
    state: view.getUint32(at + 48, true),
    next: view.getUint32(at + 52, true),
    length: view.getUint32(at + 56, true),
    octets: readOctets(bytes, at + 64, 1984),
  };
}
export function writeHeldFragment(bytes: Uint8Array, at: number, value: HeldFragment): void {
  const view = viewOf(bytes);
  writeFragmentKey(bytes, at, value.key);
  view.setBigUint64(at + 40, value.heldNs, true);
  view.setUint32(at + 48, value.state, true);
  view.setUint32(at + 52, value.next, true);
  view.setUint32(at + 56, value.length, true);
  bytes.set(value.octets, at + 64);
}

/** struct lb_sock_pairs, 180 octets. */
export interface SockPairs {
  pair: SockPair[];
  next: number;
}
export const LB_SOCK_PAIRS_SIZE = 180;
export function readSockPairs(bytes: Uint8Array, at = 0): SockPairs {
  const view = viewOf(bytes);
  return {
    pair: Array.from({ length: 4 }, (_, i) => readSockPair(bytes, at + i * 44)),
    next: view.getUint32(at + 176, true),
  };
}
export function writeSockPairs(bytes: Uint8Array, at: number, value: SockPairs): void {
  const view = viewOf(bytes);
  for (const [i, item] of value.pair.entries()) writeSockPair(bytes, at + i * 44, item);
  view.setUint32(at + 176, value.next, true);
}

/** struct lb_stats, 64 octets. */
export interface Stats {
  connections: bigint;
  rejects: bigint;
  drops: bigint;
  socketsOpen: bigint;
  requestPackets: bigint;
  requestBytes: bigint;
  replyPackets: bigint;
  replyBytes: bigint;
}
export const LB_STATS_SIZE = 64;
export function readStats(bytes: Uint8Array, at = 0): Stats {
  const view = viewOf(bytes);
  return {
    connections: view.getBigUint64(at, true),
    rejects: view.getBigUint64(at + 8, true),
    drops: view.getBigUint64(at + 16, true),
    socketsOpen: view.getBigUint64(at + 24, true),
    requestPackets: view.getBigUint64(at + 32, true),
    requestBytes: view.getBigUint64(at + 40, true),
    replyPackets: view.getBigUint64(at + 48, true),
    replyBytes: view.getBigUint64(at + 56, true),
  };
}
export function writeStats(bytes: Uint8Array, at: number, value: Stats): void {
  const view = viewOf(bytes);
  view.setBigUint64(at, value.connections, true);
  view.setBigUint64(at + 8, value.rejects, true);
  view.setBigUint64(at + 16, value.drops, true);
  view.setBigUint64(at + 24, value.socketsOpen, true);
  view.setBigUint64(at + 32, value.requestPackets, true);
  view.setBigUint64(at + 40, value.requestBytes, true);
  view.setBigUint64(at + 48, value.replyPackets, true);
  view.setBigUint64(at + 56, value.replyBytes, true);
}

/** struct lb_monitor, 24 octets. */
export interface Monitor {
  untilNs: bigint;
  missed: bigint;
  kinds: number;
}
export const LB_MONITOR_SIZE = 24;
export function readMonitor(bytes: Uint8Array, at = 0): Monitor {
  const view = viewOf(bytes);
  return {
    untilNs: view.getBigUint64(at, true),
    missed: view.getBigUint64(at + 8, true),
    kinds: view.getUint32(at + 16, true),
  };
}
export function writeMonitor(bytes: Uint8Array, at: number, value: Monitor): void {
  const view = viewOf(bytes);
  view.setBigUint64(at, value.untilNs, true);
  view.setBigUint64(at + 8, value.missed, true);
  view.setUint32(at + 16, value.kinds, true);
}

/** struct lb_rate, 16 octets. */
export interface Rate {
  windowNs: bigint;
  used: number;
}
export const LB_RATE_SIZE = 16;
export function readRate(bytes: Uint8Array, at = 0): Rate {
  const view = viewOf(bytes);
  return {
    windowNs: view.getBigUint64(at, true),
    used: view.getUint32(at + 8, true),
  };
}
export function writeRate(bytes: Uint8Array, at: number, value: Rate): void {
  const view = viewOf(bytes);
  view.setBigUint64(at, value.windowNs, true);
  view.setUint32(at + 8, value.used, true);
}

/** struct lb_event, 80 octets. */
export interface Event {
  timeNs: bigint;
  source: Uint8Array;
  destination: Uint8Array;
  backend: Uint8Array;
  sourcePort: number;
  destinationPort: number;
  backendPort: number;
  protocol: number;
  direction: number;
  ifindex: number;
  reason: number;
  kind: number;
  serviceId: number;
}
export const LB_EVENT_SIZE = 80;
export function readEvent(bytes: Uint8Array, at = 0): Event {
  const view = viewOf(bytes);
  return {
    timeNs: view.getBigUint64(at, true),
    source: readOctets(bytes, at + 8, 16),
    destination: readOctets(bytes, at + 24, 16),
    backend: readOctets(bytes, at + 40, 16),
    sourcePort: view.getUint16(at + 56, false),
    destinationPort: view.getUint16(at + 58, false),
    backendPort: view.getUint16(at + 60, false),
    protocol: view.getUint8(at + 62),
    direction: view.getUint8(at + 63),
    ifindex: view.getUint32(at + 64, true),
    reason: view.getUint32(at + 68, true),
    kind: view.getUint32(at + 72, true),
    serviceId: view.getUint32(at + 76, true),
  };
}
export function writeEvent(bytes: Uint8Array, at: number, value: Event): void {
  const view = viewOf(bytes);
  view.setBigUint64(at, value.timeNs, true);
  bytes.set(value.source, at + 8);
  bytes.set(value.destination, at + 24);
  bytes.set(value.backend, at + 40);
  view.setUint16(at + 56, value.sourcePort, false);
  view.setUint16(at + 58, value.destinationPort, false);
  view.setUint16(at + 60, value.backendPort, false);
  view.setUint8(at + 62, value.protocol);
  view.setUint8(at + 63, value.direction);
  view.setUint32(at + 64, value.ifindex, true);
  view.setUint32(at + 68, value.reason, true);
  view.setUint32(at + 72, value.kind, true);
  view.setUint32(at + 76, value.serviceId, true);
}

/** struct lb_expire, 16 octets. */
export interface Expire {
  first: number;
  count: number;
  inUse: number;
  expired: number;
}
export const LB_EXPIRE_SIZE = 16;
export function readExpire(bytes: Uint8Array, at = 0): Expire {
  const view = viewOf(bytes);
  return {
    first: view.getUint32(at, true),
    count: view.getUint32(at + 4, true),
    inUse: view.getUint32(at + 8, true),
    expired: view.getUint32(at + 12, true),
  };
}
export function writeExpire(bytes: Uint8Array, at: number, value: Expire): void {
  const view = viewOf(bytes);
  view.setUint32(at, value.first, true);
  view.setUint32(at + 4, value.count, true);
  view.setUint32(at + 8, value.inUse, true);
  view.setUint32(at + 12, value.expired, true);
}

/** struct lb_explain_socket, 80 octets. */
export interface ExplainSocket {
  destination: Uint8Array;
  bound: Uint8Array;
  port: number;
  protocol: number;
  isHost: number;
  verdict: number;
  backend: Backend;
  serviceId: number;
  flags: number;
}
export const LB_EXPLAIN_SOCKET_SIZE = 80;
export function readExplainSocket(bytes: Uint8Array, at = 0): ExplainSocket {
  const view = viewOf(bytes);
  return {
    destination: readOctets(bytes, at, 16),
    bound: readOctets(bytes, at + 16, 16),
    port: view.getUint16(at + 32, false),
    protocol: view.getUint8(at + 34),
    isHost: view.getUint8(at + 35),
    verdict: view.getUint32(at + 36, true),
    backend: readBackend(bytes, at + 40),
    serviceId: view.getUint32(at + 72, true),
    flags: view.getUint32(at + 76, true),
  };
}
export function writeExplainSocket(bytes: Uint8Array, at: number, value: ExplainSocket): void {
  const view = viewOf(bytes);
  bytes.set(value.destination, at);
  bytes.set(value.bound, at + 16);
  view.setUint16(at + 32, value.port, false);
  view.setUint8(at + 34, value.protocol);
  view.setUint8(at + 35, value.isHost);
  view.setUint32(at + 36, value.verdict, true);
  writeBackend(bytes, at + 40, value.backend);
  view.setUint32(at + 72, value.serviceId, true);
  view.setUint32(at + 76, value.flags, true);
}

/** Every table, with its default size in rows. */
export const MAPS = {
  flows: { key: 'FlowKey', value: 'Rewrite', keySize: 40, valueSize: 32, maxEntries: 524288 },
  devices: { key: null, value: 'Device', keySize: 4, valueSize: 40, maxEntries: 4096 },
  sock_peer: { key: null, value: 'SockPair', keySize: 4, valueSize: 44, maxEntries: 0 },
  udp_sockets: { key: null, value: 'UdpSocket', keySize: 8, valueSize: 28, maxEntries: 65536 },
  frontends: { key: 'FrontendKey', value: 'Frontend', keySize: 20, valueSize: 40, maxEntries: 65536 },
  backends: { key: null, value: 'Backend', keySize: 4, valueSize: 32, maxEntries: 262144 },
  backend_states: { key: null, value: 'BackendState', keySize: 4, valueSize: 8, maxEntries: 262144 },
  affinity: { key: 'AffinityKey', value: 'Affinity', keySize: 20, valueSize: 40, maxEntries: 65536 },
  source_ranges: { key: 'SourceRangeKey', value: null, keySize: 24, valueSize: 4, maxEntries: 65536 },
  service_cidrs: { key: 'ServiceCidrKey', value: null, keySize: 20, valueSize: 4, maxEntries: 1024 },
  service_names: { key: null, value: 'ServiceName', keySize: 4, valueSize: 192, maxEntries: 65536 },
  addresses: { key: null, value: 'Address', keySize: 16, valueSize: 4, maxEntries: 65536 },
  host_aliases: { key: null, value: null, keySize: 16, valueSize: 16, maxEntries: 1024 },
  flow_states: { key: null, value: 'FlowState', keySize: 4, valueSize: 192, maxEntries: 131072 },
  fragments: { key: 'FragmentKey', value: 'Fragment', keySize: 40, valueSize: 24, maxEntries: 8192 },
  held_fragments: { key: null, value: 'HeldFragment', keySize: 4, valueSize: 2048, maxEntries: 512 },
  held_next: { key: null, value: null, keySize: 4, valueSize: 4, maxEntries: 1 },
  excluded_cgroups: { key: null, value: null, keySize: 8, valueSize: 4, maxEntries: 65536 },
  sock_peers: { key: null, value: 'SockPairs', keySize: 4, valueSize: 180, maxEntries: 0 },
  counters: { key: null, value: null, keySize: 4, valueSize: 8, maxEntries: 31 },
  service_stats: { key: null, value: 'Stats', keySize: 4, valueSize: 64, maxEntries: 65536 },
  backend_stats: { key: null, value: 'Stats', keySize: 4, valueSize: 64, maxEntries: 262144 },
  monitor: { key: null, value: 'Monitor', keySize: 4, valueSize: 24, maxEntries: 1 },
  monitored: { key: null, value: null, keySize: 0, valueSize: 0, maxEntries: 1048576 },
  events: { key: null, value: null, keySize: 0, valueSize: 0, maxEntries: 262144 },
  rate_limits: { key: null, value: 'Rate', keySize: 4, valueSize: 16, maxEntries: 32 },
} as const;

/** Read-only variables of the programs; set before load. */
export interface DatapathConfig {
  hostNetnsCookie: bigint; // cookie of the node's network namespace (SO_NETNS_COOKIE); sockets in it are the host's
  socketPath: number; // which sockets are translated at connect()
  excludesCgroups: number; // excluded_cgroups is looked at: some cgroups may be left to the packet path
  detectorV4: number; // how a packet of a local pod is recognised, IPv4
  detectorV6: number; // how a packet of a local pod is recognised, IPv6
  podCidrV4: Uint8Array; // network address of the IPv4 pod range
  podCidrV6: Uint8Array; // network address of the IPv6 pod range
  podMaskV4: Uint8Array; // its netmask; the leading 96 bits are ones
  podMaskV6: Uint8Array; // its netmask
  masqueradeAll: number; // masquerade everything sent to ClusterIPs
  localhostNodePortsV4: number; // serve node ports on 127.0.0.0/8 to processes of the host
  localhostNodePortsV6: number; // serve node ports on ::1 to processes of the host
  masqueradeMark: number; // packet mark that says: masqueraded Service traffic
  snatPortMin: number; // first source port given to masqueraded flows, host order
  snatPortMax: number; // last source port given to masqueraded flows, host order
  flowStates: number; // rows of flow_states
  flowCounters: number; // count packets and octets of each flow
  rejectsPerSecond: number; // ICMP unreachables per second and CPU; 0: no limit
  tcpSynNs: bigint; // idle time of a TCP flow whose handshake is not done
  tcpEstablishedNs: bigint; // idle time of an established TCP flow
  tcpCloseWaitNs: bigint; // idle time of a TCP flow that one side has closed
  tcpClosedNs: bigint; // idle time of a TCP flow after FIN of both sides or RST
  udpUnrepliedNs: bigint; // idle time of a UDP flow without a reply
  udpStreamNs: bigint; // idle time of a UDP flow with a reply
  sctpInitNs: bigint; // idle time of an SCTP flow whose handshake is not done
  sctpEstablishedNs: bigint; // idle time of an established SCTP flow; heartbeats come more often
  sctpClosedNs: bigint; // idle time of an SCTP flow after ABORT or SHUTDOWN COMPLETE
  fragmentPauseNs: bigint; // longest pause between two fragments of one datagram; a busy sender uses an id again soon
  fragmentHeldNs: bigint; // how long a fragment is kept for its datagram's first
}
/** By variable name, as octets for BpfObject.setVariable. */
export function configVariables(config: DatapathConfig): Map<string, Uint8Array> {
  const variables = new Map<string, Uint8Array>();
  { const bytes = new Uint8Array(8); const view = viewOf(bytes); view.setBigUint64(0, config.hostNetnsCookie, true); variables.set('cfg_host_netns_cookie', bytes); }
  { const bytes = new Uint8Array(4); const view = viewOf(bytes); view.setUint32(0, config.socketPath, true); variables.set('cfg_socket_path', bytes); }
  { const bytes = new Uint8Array(1); const view = viewOf(bytes); view.setUint8(0, config.excludesCgroups); variables.set('cfg_excludes_cgroups', bytes); }
  { const bytes = new Uint8Array(4); const view = viewOf(bytes); view.setUint32(0, config.detectorV4, true); variables.set('cfg_detector_v4', bytes); }
  { const bytes = new Uint8Array(4); const view = viewOf(bytes); view.setUint32(0, config.detectorV6, true); variables.set('cfg_detector_v6', bytes); }
  { const bytes = new Uint8Array(16); bytes.set(config.podCidrV4, 0); variables.set('cfg_pod_cidr_v4', bytes); }
  { const bytes = new Uint8Array(16); bytes.set(config.podCidrV6, 0); variables.set('cfg_pod_cidr_v6', bytes); }
  { const bytes = new Uint8Array(16); bytes.set(config.podMaskV4, 0); variables.set('cfg_pod_mask_v4', bytes); }
  { const bytes = new Uint8Array(16); bytes.set(config.podMaskV6, 0); variables.set('cfg_pod_mask_v6', bytes); }
  { const bytes = new Uint8Array(1); const view = viewOf(bytes); view.setUint8(0, config.masqueradeAll); variables.set('cfg_masquerade_all', bytes); }
  { const bytes = new Uint8Array(1); const view = viewOf(bytes); view.setUint8(0, config.localhostNodePortsV4); variables.set('cfg_localhost_node_ports_v4', bytes); }
  { const bytes = new Uint8Array(1); const view = viewOf(bytes); view.setUint8(0, config.localhostNodePortsV6); variables.set('cfg_localhost_node_ports_v6', bytes); }
  { const bytes = new Uint8Array(4); const view = viewOf(bytes); view.setUint32(0, config.masqueradeMark, true); variables.set('cfg_masquerade_mark', bytes); }
  { const bytes = new Uint8Array(2); const view = viewOf(bytes); view.setUint16(0, config.snatPortMin, true); variables.set('cfg_snat_port_min', bytes); }
  { const bytes = new Uint8Array(2); const view = viewOf(bytes); view.setUint16(0, config.snatPortMax, true); variables.set('cfg_snat_port_max', bytes); }
  { const bytes = new Uint8Array(4); const view = viewOf(bytes); view.setUint32(0, config.flowStates, true); variables.set('cfg_flow_states', bytes); }
  { const bytes = new Uint8Array(1); const view = viewOf(bytes); view.setUint8(0, config.flowCounters); variables.set('cfg_flow_counters', bytes); }
  { const bytes = new Uint8Array(4); const view = viewOf(bytes); view.setUint32(0, config.rejectsPerSecond, true); variables.set('cfg_rejects_per_second', bytes); }
  { const bytes = new Uint8Array(8); const view = viewOf(bytes); view.setBigUint64(0, config.tcpSynNs, true); variables.set('cfg_tcp_syn_ns', bytes); }
  { const bytes = new Uint8Array(8); const view = viewOf(bytes); view.setBigUint64(0, config.tcpEstablishedNs, true); variables.set('cfg_tcp_established_ns', bytes); }
  { const bytes = new Uint8Array(8); const view = viewOf(bytes); view.setBigUint64(0, config.tcpCloseWaitNs, true); variables.set('cfg_tcp_close_wait_ns', bytes); }
  { const bytes = new Uint8Array(8); const view = viewOf(bytes); view.setBigUint64(0, config.tcpClosedNs, true); variables.set('cfg_tcp_closed_ns', bytes); }
  { const bytes = new Uint8Array(8); const view = viewOf(bytes); view.setBigUint64(0, config.udpUnrepliedNs, true); variables.set('cfg_udp_unreplied_ns', bytes); }
  { const bytes = new Uint8Array(8); const view = viewOf(bytes); view.setBigUint64(0, config.udpStreamNs, true); variables.set('cfg_udp_stream_ns', bytes); }
  { const bytes = new Uint8Array(8); const view = viewOf(bytes); view.setBigUint64(0, config.sctpInitNs, true); variables.set('cfg_sctp_init_ns', bytes); }
  { const bytes = new Uint8Array(8); const view = viewOf(bytes); view.setBigUint64(0, config.sctpEstablishedNs, true); variables.set('cfg_sctp_established_ns', bytes); }
  { const bytes = new Uint8Array(8); const view = viewOf(bytes); view.setBigUint64(0, config.sctpClosedNs, true); variables.set('cfg_sctp_closed_ns', bytes); }
  { const bytes = new Uint8Array(8); const view = viewOf(bytes); view.setBigUint64(0, config.fragmentPauseNs, true); variables.set('cfg_fragment_pause_ns', bytes); }
  { const bytes = new Uint8Array(8); const view = viewOf(bytes); view.setBigUint64(0, config.fragmentHeldNs, true); variables.set('cfg_fragment_held_ns', bytes); }
  return variables;
}
