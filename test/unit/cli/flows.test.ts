// What `turnout flows` selects, sorts and prints.
import { describe, expect, test } from 'vitest';
import { parseArguments } from '../../../src/cli/arguments.ts';
import type { FlowsOptions } from '../../../src/cli/commands/flows.ts';
import { type Flow, type FlowEnd, matchesFlow, sortFlows } from '../../../src/cli/flow.ts';
import { formatFlowCounts, formatFlows } from '../../../src/cli/flows-table.ts';
import { TurnoutError } from '../../../src/errors.ts';
import { parseIp } from '../../../src/state/ip.ts';

const end = (address: string, port: number): FlowEnd => ({ address: parseIp(address) ?? new Uint8Array(16), port });

const WEB: Flow = {
  protocol: 'TCP',
  client: end('192.168.50.100', 40_000),
  frontend: end('192.168.50.11', 30_080),
  backend: end('10.244.1.10', 8080),
  source: end('10.244.1.1', 12_345),
  service: { namespace: 'default', name: 'web', portName: 'http', port: 80 },
  state: 'established',
  isGuard: false,
  isReplied: true,
  isMasqueraded: true,
  isStale: false,
  ageSeconds: 75.25,
  idleSeconds: 0.26,
  requestPackets: 12,
  requestBytes: 1234,
  replyPackets: 10_500,
  replyBytes: 15_000_000,
};
const DNS: Flow = {
  ...WEB,
  protocol: 'UDP',
  client: end('fd00:10:244:1::a', 5353),
  frontend: end('fd00:10:96::a', 53),
  backend: end('fd00:10:244:2::b', 53),
  source: end('fd00:10:244:1::a', 5353),
  service: null,
  state: 'unreplied',
  isReplied: false,
  isMasqueraded: false,
  isStale: true,
  ageSeconds: 3,
  idleSeconds: 3,
  requestPackets: 1,
  requestBytes: 80,
  replyPackets: 0,
  replyBytes: 0,
};
const HALF_OPEN: Flow = {
  ...WEB,
  source: null,
  state: 'syn',
  isReplied: false,
  ageSeconds: 1,
  idleSeconds: 1,
  replyPackets: 0,
  replyBytes: 0,
};
const ALL = [WEB, DNS, HALF_OPEN];

function options(...argv: string[]): FlowsOptions {
  const command = parseArguments(['flows', ...argv], { version: '1', hostname: 'n', capabilities: ~0n });
  if (command.kind !== 'flows') throw new Error(`got ${command.kind}`);
  return command.options;
}

function refusal(...argv: string[]): TurnoutError {
  try {
    options(...argv);
  } catch (error) {
    if (error instanceof TurnoutError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('filters', () => {
  test.each([
    [[], [WEB, DNS, HALF_OPEN]],
    [['--service=default/web'], [WEB, HALF_OPEN]],
    [['--service=default/web:http'], [WEB, HALF_OPEN]],
    [['--service=default/web:80'], [WEB, HALF_OPEN]],
    [['--service=no/such'], []],
    [['--client=192.168.50.0/24'], [WEB, HALF_OPEN]],
    [['--client=[fd00:10:244:1::a]:5353'], [DNS]],
    [
      ['--client=[fd00:10:244:1::a]:5353', '--client=192.168.50.100'],
      [WEB, DNS, HALF_OPEN],
    ],
    [['--frontend=:30080'], [WEB, HALF_OPEN]],
    [['--backend=fd00:10:244:2::/64'], [DNS]],
    [['--protocol=udp'], [DNS]],
    [['--protocol=TCP,UDP'], [WEB, DNS, HALF_OPEN]],
    [['--state=syn'], [HALF_OPEN]],
    [['--state=unreplied'], [DNS, HALF_OPEN]],
    [['--state=replied'], [WEB]],
    [['--state=syn,established'], [WEB, HALF_OPEN]],
    [['--family=IPv6'], [DNS]],
    [['--family=ipv4', '--state=established'], [WEB]],
    [['--masqueraded'], [WEB, HALF_OPEN]],
    [['--stale'], [DNS]],
  ])('%j', (argv, flows) => {
    const { filter } = options(...argv);
    expect(ALL.filter((flow) => matchesFlow(filter, flow))).toEqual(flows);
  });

  test.each([
    ['--client=10.0.0.0/33', '--client: "10.0.0.0/33" must have a prefix length from 0 to 32 at character 10'],
    ['--protocol=ICMP', '--protocol: "ICMP" must be TCP, UDP or SCTP'],
    ['--state=open', '--state: "open" must be syn, established, closing, closed, unreplied or replied'],
    ['--sort=-size', '--sort: "size" must be age, idle, packets or bytes'],
    ['--limit=0', '--limit: "0" must be a whole number, 1 or more'],
    ['--count=node', '--count: "node" must be service, backend, client or state'],
    ['--output=xml', '--output: "xml" must be table, wide or json'],
    ['--service=web', 'must be NAMESPACE/NAME'],
  ])('%s is refused', (flag, message) => {
    expect(refusal(flag).message).toContain(message);
    expect(refusal(flag).exitCode).toBe(2);
  });
});

test('flows come oldest first, or by another measure, or the other way round, and not more than asked for', () => {
  const sorted = (...argv: string[]) => sortFlows(ALL, options(...argv).order, options(...argv).limit);
  expect(sorted()).toEqual([WEB, DNS, HALF_OPEN]);
  expect(sorted('--sort=-age')).toEqual([HALF_OPEN, DNS, WEB]);
  expect(sorted('--sort=idle')).toEqual([DNS, HALF_OPEN, WEB]);
  expect(sorted('--sort=packets', '--limit=1')).toEqual([WEB]);
  expect(sorted('--sort=-bytes', '--limit=2')).toEqual([DNS, HALF_OPEN]);
});

test('the table has both ways in one cell, and names the source where it is not the client', () => {
  expect(formatFlows(ALL, 'table')).toBe(`\
PROTOCOL  CLIENT                   FRONTEND             BACKEND                SOURCE            SERVICE           STATE          AGE  IDLE   PACKETS         BYTES
TCP       192.168.50.100:40000     192.168.50.11:30080  10.244.1.10:8080       10.244.1.1:12345  default/web:http  established  1m15s  0.2s  12/10.5k  1.2Ki/14.3Mi
UDP       [fd00:10:244:1::a]:5353  [fd00:10:96::a]:53   [fd00:10:244:2::b]:53  =                 ?                 unreplied     3.0s  3.0s       1/0          80/0
TCP       192.168.50.100:40000     192.168.50.11:30080  10.244.1.10:8080       ?                 default/web:http  syn           1.0s  1.0s      12/0       1.2Ki/0
`);
});

test('wide has exact numbers, the source always, and what is unusual', () => {
  const [, web, dns] = formatFlows(ALL, 'wide').split('\n');
  expect(web).toMatch(/ 10\.244\.1\.1:12345 .* 12 +1234 +10500 +15000000 +masqueraded$/);
  expect(dns).toMatch(/ \[fd00:10:244:1::a\]:5353 {2}\? .* stale$/);
});

test('a connection of the node that needed another port has no Service', () => {
  const guard = { ...WEB, service: null, isGuard: true };
  expect(formatFlows([guard], 'wide')).toMatch(/ \(none\) .* masqueraded,guard$/m);
  expect(formatFlowCounts([guard], 'service', 'table')).toMatch(/^\(none\) +1 /m);
});

test('JSON is one array with a flow on each line', () => {
  const text = formatFlows([WEB, HALF_OPEN], 'json');
  expect(text.split('\n')).toHaveLength(5);
  const [web, halfOpen] = JSON.parse(text) as object[];
  expect(web).toEqual({
    protocol: 'TCP',
    family: 'IPv4',
    client: { address: '192.168.50.100', port: 40_000 },
    frontend: { address: '192.168.50.11', port: 30_080 },
    backend: { address: '10.244.1.10', port: 8080 },
    source: { address: '10.244.1.1', port: 12_345 },
    service: { namespace: 'default', name: 'web', portName: 'http', port: 80 },
    state: 'established',
    replied: true,
    masqueraded: true,
    stale: false,
    guard: false,
    ageSeconds: 75.3,
    idleSeconds: 0.3,
    requestPackets: 12,
    requestBytes: 1234,
    replyPackets: 10_500,
    replyBytes: 15_000_000,
  });
  expect(halfOpen).toMatchObject({ source: null, state: 'syn' });
  expect(formatFlows([], 'json')).toBe('[]\n');
});

test('no flows say where to look', () => {
  expect(formatFlows([], 'table')).toContain('turnout flows --help');
});

describe('--count', () => {
  test('alone groups by Service; a flow without one has a row too', () => {
    expect(formatFlowCounts(ALL, options('--count').group ?? 'state', 'table')).toBe(`\
SERVICE           FLOWS  SYN  ESTABLISHED  CLOSING  CLOSED  UNREPLIED  REPLIED  STALE  PACKETS   BYTES
default/web:http      2    1            1        0       0          0        0      0    10.5k  14.3Mi
?                     1    0            0        0       0          1        0      1        1      80
(all)                 3    1            1        0       0          1        0      1    10.5k  14.3Mi
`);
  });

  test('by endpoint, client and state', () => {
    expect(formatFlowCounts(ALL, 'backend', 'table')).toMatch(/^default\/web:http +10\.244\.1\.10:8080 +2 /m);
    expect(formatFlowCounts(ALL, 'client', 'table')).toMatch(/^192\.168\.50\.100 +2 /m);
    expect(formatFlowCounts(ALL, 'state', 'table')).toMatch(/^unreplied +1$/m);
    expect(formatFlowCounts(ALL, 'state', 'table')).toMatch(/^\(all\) +3$/m);
  });

  test('as JSON', () => {
    expect(JSON.parse(formatFlowCounts(ALL, 'backend', 'json'))).toContainEqual({
      service: 'default/web:http',
      backend: '10.244.1.10:8080',
      flows: 2,
      states: { syn: 1, established: 1, closing: 0, closed: 0, unreplied: 0, replied: 0 },
      stale: 0,
      packets: 10_524,
      bytes: 15_002_468,
    });
    expect(JSON.parse(formatFlowCounts(ALL, 'state', 'json'))).toEqual([expect.objectContaining({ flows: 3 })]);
  });
});
