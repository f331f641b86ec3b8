// Each check of `turnout doctor`: facts in, finding out. A node with nothing wrong has no finding at all.
import { describe, expect, test } from 'vitest';
import { BLIND_SPOT_KINDS, type BlindSpot } from '../../../../src/backend/ebpf/blind-spot-kinds.ts';
import { CHECKS, diagnose } from '../../../../src/backend/ebpf/doctor/doctor.ts';
import type { DoctorFacts } from '../../../../src/backend/ebpf/doctor/facts.ts';
import { device, healthyNode, service } from './healthy-node.ts';

/** 'check severity' of all that is not fine. */
const found = (over: Partial<DoctorFacts>, only = ''): string[] =>
  diagnose(healthyNode(over), only).flatMap(({ check, severity }) => (severity === 'ok' ? [] : [`${check} ${severity}`]));

const spot = (kind: BlindSpot['kind']): BlindSpot => ({ kind, found: ['eth0'], count: 1, ...BLIND_SPOT_KINDS[kind] });
const sysctl = (name: string, value: string): Partial<DoctorFacts> => ({
  sysctls: new Map([...healthyNode().sysctls, [name, value]]),
});
const sockets = (over: Partial<DoctorFacts['socketPath']>): Partial<DoctorFacts> => ({
  socketPath: { ...healthyNode().socketPath, ...over },
});
const forward = (policy: string, ...rules: string[]): Partial<DoctorFacts> => ({
  forward: [{ command: 'iptables', policy, rules }],
});
const OURS = '-A FORWARD -m comment --comment "turnout" -j TURNOUT-FORWARD';

test('a healthy node: every check says that it found nothing', () => {
  const findings = diagnose(healthyNode(), '');
  expect(findings.map(({ severity }) => severity)).toEqual(CHECKS.map(() => 'ok'));
  expect(new Set(findings.map(({ check }) => check)).size).toBe(CHECKS.length);
});

const CASES: readonly (readonly [string, Partial<DoctorFacts>, string])[] = [
  ['nothing is installed', { process: null, pinFolder: '', healthz: null }, 'process problem'],
  ['pins without a process', { process: null, healthz: { url: '', status: 0 } }, 'process problem'],
  ['/healthz says 503', { healthz: { url: '', status: 503 } }, 'process problem'],
  ['nobody answers at /healthz', { healthz: { url: '', status: 0 } }, 'process warning'],
  ['another version runs', { ownVersion: '1.1.0' }, 'process info'],
  ['a device lacks a program', { hooks: healthyNode().hooks.slice(1) }, 'hooks problem'],
  ['a link is detached', { hooks: healthyNode().hooks.map((hook, i) => ({ ...hook, isDetached: i === 0 })) }, 'hooks problem'],
  ['a device is left alone by a pattern', { eligible: new Set([2, 3, 4]) }, 'hooks info'],
  ['no socket program is attached', sockets({ live: [] }), 'socket-hooks problem'],
  ['a socket program is missing', sockets({ missing: ['connect6'] }), 'socket-hooks problem'],
  ['the cgroup is another one', sockets({ cgroupId: '9' }), 'socket-hooks problem'],
  ['nobody is in the cgroup', sockets({ rootProcesses: 0 }), 'socket-hooks problem'],
  ['a cgroup namespace of its own', sockets({ isNested: true }), 'socket-hooks warning'],
  ['a table fills', { tables: [{ name: 'flow_states', used: 85, size: 100 }] }, 'tables warning'],
  ['a table is full', { tables: [{ name: 'flow_states', used: 99, size: 100 }] }, 'tables problem'],
  ['a refusal goes on', { refusals: [{ name: 'no_flow', before: 5, after: 9 }] }, 'refusals warning'],
  ['the limit of rejects is hit', { refusals: [{ name: 'reject_limited', before: 0, after: 9 }] }, 'refusals warning'],
  ['flows find no room', { refusals: [{ name: 'flows_full', before: 5, after: 9 }] }, 'refusals problem'],
  ['flows found no room once', { refusals: [{ name: 'flows_full', before: 9, after: 9 }] }, 'refusals info'],
  ['a flood', { flows: { all: 3000, unreplied: 2000 } }, 'flood warning'],
  ['a Service without endpoints', { services: [service({ hasEndpoints: false })] }, 'endpoints warning'],
  ['internal policy Local, none here', { services: [service({ isLocalPolicy: true })] }, 'internal-local warning'],
  ['external policy Local, none here', { services: [service({ isLocalPolicy: true, kind: 'NodePort' })] }, 'external-local info'],
  ['node ports among local ports', { localPorts: { first: 30000, last: 60999 } }, 'node-port-range warning'],
  ['SNAT ports among local ports', { localPorts: { first: 29000, last: 30000 } }, 'snat-port-range warning'],
  ['node ports among SNAT ports', { snatPorts: { first: 30000, last: 31000 } }, 'node-port-range warning'],
  ['no IPv4 forwarding', sysctl('net.ipv4.ip_forward', '0'), 'forwarding problem'],
  ['strict rp_filter on two uplinks', { uplinks: ['eth0', 'eth1'] }, 'rp-filter warning'],
  ['a narrow tunnel', { devices: [...healthyNode().devices, device(9, 'vxlan0', { kind: 'vxlan', mtu: 1450 })] }, 'mtu warning'],
  ['conntrack under pressure', { conntrack: { count: 85, max: 100 } }, 'conntrack warning'],
  ['conntrack full', { conntrack: { count: 100, max: 100 } }, 'conntrack problem'],
  ['no JIT', sysctl('net.core.bpf_jit_enable', '0'), 'kernel warning'],
  ['no conntrack calls', { hasConntrackCalls: false }, 'kernel info'],
  ['clsact instead of tcx', { hooks: [], clsact: new Map([2, 3].map((one) => [one, ['ingress', 'egress']])) }, 'kernel info'],
  ['FORWARD drops and lacks our rule', forward('DROP'), 'forward-chain problem'],
  ['FORWARD drops before our rule', forward('ACCEPT', '-A FORWARD -j DROP', OURS), 'forward-chain problem'],
  ['FORWARD drops some before our rule', forward('ACCEPT', '-A FORWARD -i eth9 -j DROP', OURS), 'forward-chain info'],
  ['nftables drops forwarding', { nftForwardDrops: ['inet firewall forward'] }, 'nftables-forward warning'],
  ['kube-proxy runs in its place', { process: null, healthz: { url: '', status: 200 } }, 'other-proxy warning'],
  ["kube-proxy's rules", { blindSpots: [spot('kube_proxy')] }, 'kube-proxy-rules problem'],
  ['XDP on an uplink', { xdp: new Map([['eth0', 'native']]) }, 'xdp warning'],
  ['programs of others', { blindSpots: [spot('foreign_programs')] }, 'foreign-programs warning'],
  ['rules about the original destination', { blindSpots: [spot('original_destination')] }, 'firewall-rules warning'],
  ['rules about node ports in INPUT', { blindSpots: [spot('node_ports_in_input')] }, 'input-rules warning'],
];

test.each(CASES)('%s', (_title, over, expected) => {
  expect(found(over)).toContain(expected);
});

test('every check is tried above, and every kind of blind spot belongs to one', () => {
  const tried = new Set(CASES.map(([, , expected]) => expected.split(' ')[0]));
  expect(CHECKS.map(({ name }) => name).filter((name) => !tried.has(name))).toEqual(['service-programmed']);
  for (const kind of Object.keys(BLIND_SPOT_KINDS) as BlindSpot['kind'][])
    expect(found({ blindSpots: [spot(kind)] }), kind).toHaveLength(1);
});

describe('what is no fault', () => {
  test.each<readonly [string, Partial<DoctorFacts>]>([
    ['a device that is gone, with its row and links left', { wanted: new Set([2, 3, 99]) }],
    [
      'node ports that are reserved',
      { localPorts: { first: 30000, last: 60999 }, reservedPorts: [{ first: 30000, last: 32767 }] },
    ],
    ['strict rp_filter on one uplink', { uplinks: ['eth0'] }],
    ['INVALID is dropped before our rule', forward('DROP', '-A FORWARD -m conntrack --ctstate INVALID -j DROP', OURS)],
    ['no IPv6 forwarding where no Service has IPv6', sysctl('net.ipv6.conf.all.forwarding', '0')],
    ['the socket path is off', sockets({ mode: 'off', live: [] })],
    ['a rare refusal that has ended', { refusals: [{ name: 'no_flow', before: 9, after: 9 }] }],
    ['facts that nobody knows', { conntrack: null, localPorts: null, snatPorts: null, healthz: null, hasConntrackCalls: null }],
  ])('%s', (_title, over) => {
    expect(found(over)).toEqual([]);
  });
});

describe('with a Service by its name', () => {
  const empty = service({ hasEndpoints: false });

  test('no endpoint is a problem, and other Services are left alone', () => {
    expect(found({ services: [empty] }, 'default/web')).toEqual(['endpoints problem']);
    expect(found({ services: [empty, service({ service: 'default/other' })] }, 'default/other')).toEqual([]);
  });

  test('one that is not programmed is a problem', () => {
    expect(found({}, 'default/absent')).toEqual(['service-programmed problem']);
  });

  test('many without endpoints are one finding where all are looked at', () => {
    const services = ['a', 'b', 'c', 'd'].map((name) => ({ ...empty, service: `default/${name}` }));
    expect(found({ services })).toEqual(['endpoints warning']);
  });
});
