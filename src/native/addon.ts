// What native/ (C++) exports, as TypeScript sees it. The wrappers in this folder check and name; C++ asserts.
// All byte arguments are Uint8Array in the map's own layout; nothing here knows about Services.

/** BTF of an object or a pinned map as plain values. Sizes and offsets in octets. */
export type BtfType =
  | { kind: 'int'; name: string; size: number; signed: boolean }
  | { kind: 'typedef'; name: string; type: BtfType }
  | { kind: 'enum'; name: string; size: number; values: { name: string; value: number }[] }
  | { kind: 'array'; length: number; element: BtfType; size: number }
  | { kind: 'struct' | 'union'; name: string; size: number; members: BtfMember[] }
  | { kind: 'float' | 'pointer' | 'other'; name: string; size: number };

export interface BtfMember {
  name: string;
  offset: number; // octets
  bitfieldBits: number; // 0: not a bit-field
  type: BtfType;
  doc: string | null; // btf_decl_tag "doc:..."
}

export interface MapDescription {
  name: string;
  type: number; // enum bpf_map_type
  keySize: number;
  valueSize: number;
  maxEntries: number;
  flags: number;
  key: BtfType | null;
  value: BtfType | null;
}

export interface VariableDescription {
  name: string;
  section: string; // '.rodata' | '.data' | '.bss'
  offset: number;
  type: BtfType;
  doc: string | null;
}

export interface ProgramDescription {
  name: string;
  section: string; // 'tcx/ingress', 'cgroup/connect4', ...
  type: number; // enum bpf_prog_type
  expectedAttachType: number;
}

export interface ObjectDescription {
  maps: MapDescription[];
  variables: VariableDescription[];
  programs: ProgramDescription[];
  enums: Extract<BtfType, { kind: 'enum' }>[];
  structs: Extract<BtfType, { kind: 'struct' | 'union' }>[]; // every named one, also those in no map
}

export interface TestRunInput {
  data?: Uint8Array; // packet in
  context?: Uint8Array; // struct __sk_buff / xdp_md / the syscall program's argument
  outputSize?: number; // room for the packet out; default 2048
  repeat?: number;
}
export interface TestRunResult {
  returnValue: number;
  data: Uint8Array;
  context: Uint8Array;
  durationNs: number; // mean of one run
}

export type AttachPoint =
  | { kind: 'tcx'; ifindex: number; direction: 'ingress' | 'egress' }
  | { kind: 'clsact'; ifindex: number; direction: 'ingress' | 'egress'; priority: number; handle: number }
  | { kind: 'cgroup'; path: string }
  | { kind: 'xdp'; ifindex: number; mode: 'native' | 'generic' | 'auto' };

/** What the kernel says about a link. ifindex is 0 once its device is gone. */
export interface LinkInfo {
  id: number;
  type: number; // enum bpf_link_type
  programId: number;
  ifindex: number; // tcx, xdp
  cgroupId: bigint; // cgroup
  attachType: number;
}

/** A program on a device, whoever attached it. */
export interface AttachedProgram {
  programId: number;
  linkId: number; // 0: attached without a link
  name: string; // at most 15 characters; '' when it went meanwhile
}

export interface NetlinkDevice {
  ifindex: number;
  name: string;
  kind: string; // IFLA_INFO_KIND: 'veth', 'bridge', 'vxlan', '' for plain devices
  slaveKind: string; // IFLA_INFO_SLAVE_KIND: 'bridge', 'bond', 'team', 'vrf', ''
  type: number; // ARPHRD_*: 1 Ethernet, 772 loopback, 65534 none
  mac: string; // 'aa:bb:cc:dd:ee:ff', '' where there is none
  mtu: number; // octets
  flags: number; // IFF_*
  masterIfindex: number; // 0: none
  linkIfindex: number; // IFLA_LINK, 0: none
}
export interface NetlinkAddress {
  ifindex: number;
  family: 4 | 6;
  address: string; // canonical text; the local one on point-to-point links
  prefixLength: number;
  scope: number; // RT_SCOPE_*: 0 global, 253 link, 254 host
  flags: number; // IFA_F_*: 1 secondary/temporary, 0x20 deprecated, 0x40 tentative
}
export interface NetlinkRoute {
  family: 4 | 6;
  destination: string; // 'default' or CIDR
  gateway: string; // '' where there is none
  preferredSource: string; // RTA_PREFSRC, '' where there is none
  ifindex: number; // RTA_OIF, 0 for multipath
  table: number;
  type: number; // RTN_*
  protocol: number;
  scope: number;
  metric: number;
}
/** A connected UDP socket of the process's network namespace. */
export interface UdpSocket {
  family: 4 | 6; // of the socket: 6 also for one that talks IPv4
  localAddress: string; // canonical text; '::ffff:a.b.c.d' of an IPv6 socket that talks IPv4
  localPort: number;
  remoteAddress: string;
  remotePort: number;
  ifindex: number; // the device it is bound to, 0: none
  cookie: bigint; // as SO_COOKIE and bpf_get_socket_cookie() give it; never the same for two sockets
}
export type NetlinkEvent =
  | { kind: 'device'; action: 'new' | 'delete'; device: NetlinkDevice }
  | { kind: 'address'; action: 'new' | 'delete'; address: NetlinkAddress }
  | { kind: 'route'; action: 'new' | 'delete'; route: NetlinkRoute }
  | { kind: 'overrun' }; // events were lost (ENOBUFS): list again
