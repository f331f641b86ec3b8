import { expect, test } from 'vitest';
import { formatServices, type ServiceRow } from '../../../src/cli/services-table.ts';

const DNS: ServiceRow = {
  namespace: 'kube-system',
  name: 'dns',
  portName: 'dns-tcp',
  type: 'ClusterIP',
  address: 'fd00:96::a',
  port: 53,
  protocol: 'TCP',
  endpoints: ['[fd00::1]:53', '[fd00::2]:53', '[fd00::3]:53', '[fd00::4]:53', '[fd00::5]:53'],
  connections: 1234,
  active: 17,
  rejects: 0,
  drops: 2,
  packets: 40_000,
  bytes: 3_000_000,
};
const WEB: ServiceRow = {
  namespace: 'default',
  name: 'web',
  portName: '',
  type: 'NodePort',
  address: '*',
  port: 30080,
  protocol: 'TCP',
  endpoints: [],
  connections: null,
  active: null,
  rejects: 7,
  drops: null,
  packets: null,
  bytes: null,
};

test('services are sorted, aligned, and show the first three endpoints', () => {
  const clusterIP: ServiceRow = { ...WEB, type: 'ClusterIP', address: '10.96.0.80', port: 80 };
  expect(formatServices([DNS, WEB, clusterIP], { output: 'table', allEndpoints: false })).toBe(`\
NAMESPACE/NAME   PORT     TYPE       ADDRESS:PORT/PROTOCOL  ENDPOINTS                                             CONNECTIONS  ACTIVE  REJECTS  DROPS  BYTES
default/web      -        ClusterIP  10.96.0.80:80/TCP      0                                                               -       -        7      -      -
default/web      -        NodePort   *:30080/TCP            0
kube-system/dns  dns-tcp  ClusterIP  [fd00:96::a]:53/TCP    5: [fd00::1]:53, [fd00::2]:53, [fd00::3]:53, +2 more         1234      17        0      2  2.9Mi
`);
});

test('counters stand once for each Service port and family; a node port goes with the family of its endpoints', () => {
  const counted = { ...WEB, connections: 5, rejects: 0, endpoints: ['10.244.1.1:80'] };
  const counted6 = { ...WEB, connections: 9, rejects: 0, endpoints: ['[fd00::1]:80'] };
  const rows: ServiceRow[] = [
    counted6,
    counted,
    { ...counted6, type: 'ClusterIP', address: 'fd00:96::b', port: 80 },
    { ...counted, type: 'ExternalIP', address: '1.2.3.4', port: 80 },
    { ...counted, type: 'ClusterIP', address: '10.96.0.80', port: 80 },
  ];
  expect(formatServices(rows, { output: 'table', allEndpoints: false })).toBe(`\
NAMESPACE/NAME  PORT  TYPE       ADDRESS:PORT/PROTOCOL  ENDPOINTS         CONNECTIONS  ACTIVE  REJECTS  DROPS  BYTES
default/web     -     ClusterIP  10.96.0.80:80/TCP      1: 10.244.1.1:80            5       -        0      -      -
default/web     -     External   1.2.3.4:80/TCP         1: 10.244.1.1:80
default/web     -     NodePort   *:30080/TCP            1: 10.244.1.1:80
default/web     -     ClusterIP  [fd00:96::b]:80/TCP    1: [fd00::1]:80             9       -        0      -      -
default/web     -     NodePort   *:30080/TCP            1: [fd00::1]:80
`);
});

test('a node port of IPv6 without endpoints stands below its ClusterIP', () => {
  const none = { ...WEB, connections: 0, rejects: 3 };
  const rows = [none, { ...none, type: 'ClusterIP' as const, address: 'fd00:96::b', port: 80 }];
  const lines = formatServices(rows, { output: 'table', allEndpoints: false }).split('\n');
  expect(lines[1]).toMatch(/\[fd00:96::b\]:80\/TCP +0 +0 +- +3 +- +-$/);
  expect(lines[2]).toMatch(/\*:30080\/TCP +0$/);
});

test('all endpoints are shown on demand', () => {
  expect(formatServices([DNS], { output: 'table', allEndpoints: true })).toContain('[fd00::4]:53, [fd00::5]:53');
});

test('as JSON, every endpoint is there', () => {
  expect(JSON.parse(formatServices([DNS], { output: 'json', allEndpoints: false }))).toEqual([DNS]);
  expect(formatServices([], { output: 'json', allEndpoints: false })).toBe('[]\n');
});

test('an empty list says where to look', () => {
  expect(formatServices([], { output: 'table', allEndpoints: false })).toContain('turnout status');
});

test('control characters in a name cannot reach the terminal', () => {
  const text = formatServices([{ ...WEB, name: 'we\u001b[2Jb' }], { output: 'table', allEndpoints: false });
  expect(text).toContain('default/we?[2Jb');
});
