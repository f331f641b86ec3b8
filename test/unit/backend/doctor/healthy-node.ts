// Facts of a node with nothing wrong: what each test changes is all that is wrong with it.
import type { DoctorFacts, ServiceFact } from '../../../../src/backend/ebpf/doctor/facts.ts';
import { SOCKET_PROGRAMS } from '../../../../src/backend/ebpf/hooks.ts';
import type { NetlinkDevice } from '../../../../src/native/addon.ts';

export function device(ifindex: number, name: string, over: Partial<NetlinkDevice> = {}): NetlinkDevice {
  const plain = {
    kind: '',
    slaveKind: '',
    type: 1,
    mac: '02:00:00:00:00:01',
    mtu: 1500,
    flags: 1,
    masterIfindex: 0,
    linkIfindex: 0,
  };
  return { ifindex, name, ...plain, ...over };
}

export function service(over: Partial<ServiceFact> = {}): ServiceFact {
  const endpoints = { hasEndpoints: true, isLocalPolicy: false, localEndpoints: 0, clusterEndpoints: 2 };
  return {
    service: 'default/web',
    port: 'http 10.96.0.10:80/TCP',
    kind: 'ClusterIP',
    portNumber: 80,
    family: 'IPv4',
    ...endpoints,
    ...over,
  };
}

const hook = (ifindex: number, direction: string) => ({
  pin: `tc_${ifindex}_${direction}`,
  ifindex,
  direction,
  isDetached: false,
});

export function healthyNode(over: Partial<DoctorFacts> = {}): DoctorFacts {
  return {
    process: { pid: 7, version: '1.0.0', proxyMode: 'ebpf' },
    ownVersion: '1.0.0',
    healthz: { url: 'http://127.0.0.1:10256/healthz', status: 200 },
    pinFolder: '/sys/fs/bpf/turnout/netns-1/f',
    devices: [device(1, 'lo', { type: 772 }), device(2, 'eth0'), device(3, 'vethabc', { kind: 'veth' })],
    eligible: new Set([2, 3]),
    wanted: new Set([2, 3]),
    hooks: [hook(2, 'ingress'), hook(2, 'egress'), hook(3, 'ingress'), hook(3, 'egress')],
    clsact: new Map(),
    xdp: new Map(),
    socketPath: {
      ...{ mode: 'tcp', live: SOCKET_PROGRAMS, missing: [], cgroupId: '1', root: '/sys/fs/cgroup', rootId: '1' },
      ...{ rootProcesses: 90, isNested: false },
    },
    services: [service(), service({ kind: 'NodePort', port: 'http node port 30080/TCP', portNumber: 30080 })],
    tables: [{ name: 'flow_states', used: 100, size: 131072 }],
    refusals: [{ name: 'no_flow', before: 5, after: 5 }],
    flows: { all: 100, unreplied: 3 },
    snatPorts: { first: 10240, last: 29999 },
    localPorts: { first: 32768, last: 60999 },
    reservedPorts: [],
    conntrack: { count: 200, max: 131072 },
    sysctls: new Map([
      ...([
        ['net.ipv4.ip_forward', '1'],
        ['net.ipv6.conf.all.forwarding', '1'],
        ['net.core.bpf_jit_enable', '1'],
      ] as const),
      ...([
        ['net.ipv4.conf.all.rp_filter', '1'],
        ['net.ipv4.conf.eth0.rp_filter', '1'],
      ] as const),
    ]),
    uplinks: ['eth0'],
    forward: [{ command: 'iptables', policy: 'DROP', rules: ['-A FORWARD -m comment --comment "turnout" -j TURNOUT-FORWARD'] }],
    nftForwardDrops: [],
    hasConntrackCalls: true,
    blindSpots: [],
    ...over,
  };
}
