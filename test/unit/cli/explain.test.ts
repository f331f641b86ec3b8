// `turnout explain`: how it is asked, and how it answers people.
import { describe, expect, test } from 'vitest';
import { parseArguments } from '../../../src/cli/arguments.ts';
import type { ExplainReport } from '../../../src/cli/explain-report.ts';
import { answerText, formatExplain } from '../../../src/cli/explain-text.ts';

function asked(...argv: string[]): unknown {
  const command = parseArguments(['explain', ...argv], { version: '1', capabilities: ~0n });
  return command.kind === 'explain' ? command.question : command.kind;
}

describe('the question', () => {
  const plain = { source: '10.244.1.5', sourcePort: 0, destination: '10.96.0.10', port: 53, protocol: 'UDP', device: '' };

  test.each([
    [['10.244.1.5', '10.96.0.10:53/UDP'], plain],
    [['10.244.1.5', '10.96.0.10:53/udp', '--source-port=7', '--device=eth0'], { ...plain, sourcePort: 7, device: 'eth0' }],
    [['node', '10.96.0.10:53'], { ...plain, source: 'node', protocol: 'TCP' }],
    [['FD00::0005', '[fd00::1]:80/TCP'], { ...plain, source: 'fd00::5', destination: 'fd00::1', port: 80, protocol: 'TCP' }],
    [['[fd00::5]', '[fd00::1]:80/SCTP'], { ...plain, source: 'fd00::5', destination: 'fd00::1', port: 80, protocol: 'SCTP' }],
  ])('%j', (argv, question) => {
    expect(asked(...argv)).toEqual(question);
  });

  test.each([
    [['10.244.1.5'], /takes SRC and DST:PORT/],
    [['10.244.1.5', '10.96.0.10:53', 'more'], /takes SRC and DST:PORT/],
    [['pod', '10.96.0.10:53'], /"pod" is no SRC/],
    [['node', '10.96.0.10'], /no DST:PORT\/PROTO/],
    [['node', 'fd00::1:80'], /no DST:PORT\/PROTO/],
    [['node', '10.96.0.10:0'], /no port from 1 to 65535/],
    [['node', '10.96.0.10:53/ICMP'], /no protocol of Services/],
    [['node', '10.96.0.10:53', '--source-port=x'], /--source-port: "x"/],
  ])('%j is refused', (argv, message) => {
    expect(() => asked(...argv)).toThrow(message);
  });
});

const REPORT: ExplainReport = {
  question: { source: '10.244.1.5', sourcePort: 0, destination: '10.96.0.10', port: 80, protocol: 'TCP', device: '' },
  client: { kind: 'pod', text: 'a pod of this node, behind veth1' },
  service: {
    ...{ namespace: 'default', name: 'web', portName: 'http', frontend: 'ClusterIP', policyName: 'internalTrafficPolicy' },
    ...{ policy: 'Cluster', affinitySeconds: 0, hasSourceRanges: false },
  },
  rule: '10.96.0.10 is the ClusterIP of a Service, with this port.',
  socket: { outcome: 'left', backend: '', text: 'Left to the packet path: it is one.' },
  packet: {
    ...{ outcome: 'translated', backend: '10.244.2.2:8080', enters: 'veth1', leaves: 'eth0', seenSource: '192.0.2.1:11000' },
    ...{ isMasqueraded: true, reason: '', text: 'Translated to 10.244.2.2:8080.', advice: '' },
  },
  candidates: {
    ...{ list: 'cluster', why: 'internalTrafficPolicy is Cluster', runs: 128 },
    rows: [
      { endpoint: '10.244.1.2:8080', isLocal: true, chosen: 60 },
      { endpoint: '10.244.2.2:8080', isLocal: false, chosen: 68 },
    ],
    leftOut: [{ endpoint: '10.244.2.3:8080', why: 'not ready' }],
  },
  ...{ affinity: '', flow: '', notes: [] },
};
const one = { ...REPORT.candidates!, rows: [{ endpoint: '10.244.2.2:8080', isLocal: false, chosen: 64 }] };

describe('the answer in one sentence', () => {
  test.each<readonly [Partial<ExplainReport>, string]>([
    [
      {},
      'Goes to one of 2 endpoints, by chance, by the packet path, this time to 10.244.2.2:8080, masqueraded as 192.0.2.1:11000.',
    ],
    [{ candidates: one }, 'Goes to 10.244.2.2:8080, by the packet path, masqueraded as 192.0.2.1:11000.'],
    [
      { candidates: one, packet: { ...REPORT.packet, isMasqueraded: false } },
      'Goes to 10.244.2.2:8080, by the packet path, not masqueraded.',
    ],
    [
      { socket: { outcome: 'translated', backend: '10.244.2.2:8080', text: '' }, candidates: one },
      'Goes to 10.244.2.2:8080, by the socket path.',
    ],
    [
      { socket: { outcome: 'refused', backend: '', text: '' } },
      'Refused at once: connect() says ECONNREFUSED, since there is no endpoint.',
    ],
    [
      { packet: { ...REPORT.packet, outcome: 'rejected', reason: 'reject_sent' } },
      'Rejected (reject_sent): the client is told by ICMP port unreachable.',
    ],
    [{ packet: { ...REPORT.packet, outcome: 'dropped', reason: 'source_range' } }, 'Dropped in silence (source_range).'],
    [{ packet: { ...REPORT.packet, outcome: 'passed' } }, 'Passes untouched: turnout does nothing to it.'],
    [{ packet: { ...REPORT.packet, outcome: 'unseen' } }, 'Not translated: no hook sees such packets.'],
  ])('%#', (over, answer) => {
    expect(answerText({ ...REPORT, ...over })).toBe(answer);
  });
});

test('as text: who, what, the answer, and every endpoint with its share or why it has none', () => {
  expect(formatExplain(REPORT, 'table')).toBe(`From          10.244.1.5: a pod of this node, behind veth1
To            10.96.0.10:80/TCP
Service       default/web port http, ClusterIP, internalTrafficPolicy Cluster
Rule          10.96.0.10 is the ClusterIP of a Service, with this port.

Answer        Goes to one of 2 endpoints, by chance, by the packet path, this time to
              10.244.2.2:8080, masqueraded as 192.0.2.1:11000.

Socket path   Left to the packet path: it is one.
Packet path   Comes in by veth1. Translated to 10.244.2.2:8080.

Candidates    2, the cluster list: internalTrafficPolicy is Cluster.
  ENDPOINT         WHERE                CHOSEN
  10.244.1.2:8080  this node            60 of 128
  10.244.2.2:8080  another node         68 of 128
  10.244.2.3:8080  left out: not ready
`);
});

test('as JSON: the report and the answer', () => {
  expect(JSON.parse(formatExplain(REPORT, 'json'))).toEqual({ ...REPORT, answer: answerText(REPORT) });
});
