import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { cidrContains, parseCidr, parseIp } from '../../../src/state/ip.ts';
import { addressSwap } from '../../conformance/address-swap.ts';
import { type Flow, type FlowFile, readFlowFiles } from '../../conformance/flow-file.ts';
import { parseTwins, placeOf, twinOf } from '../../conformance/twins.ts';

const FILES = readFlowFiles(join(import.meta.dirname, '../../conformance'));
const flowsOf = (file: FlowFile): Flow[] => file.cases.flatMap(({ steps }) => steps.flatMap(({ flows }) => flows));
const contains = (cidr: string, address: string): boolean => cidrContains(parseCidr(cidr)!, parseIp(address)!);

const flow = (protocol: Flow['protocol'], port: number): Flow => ({
  id: `T#c01s1f${port}`,
  name: 'a flow',
  from: '10.0.0.2',
  origin: 'pod',
  protocol,
  to: '172.30.0.41',
  port,
  expect: { verdict: 'dnat', endpoints: ['10.0.1.1:80'], masquerade: false },
});

const MIXED: FlowFile = {
  name: 'T',
  kind: 'flows',
  cases: [
    {
      id: 'T#c01',
      name: 'one number for three protocols',
      steps: [
        {
          apply: [
            {
              apiVersion: 'v1',
              kind: 'Service',
              metadata: { name: 'dns' },
              spec: { ports: [{ port: 53 }, { port: 53, protocol: 'UDP' }, { port: 53, protocol: 'SCTP' }] },
            },
            { apiVersion: 'v1', kind: 'EndpointSlice', metadata: { name: 'dns-1' }, ports: [{ port: 53, protocol: 'TCP' }] },
            { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' } },
          ],
          flows: [flow('TCP', 1), flow('UDP', 2), flow('SCTP', 3)],
        },
      ],
    },
  ],
};

describe('the twin over another protocol', () => {
  test('TCP and the other protocol change places, the third stays, so ports of one number stay apart', () => {
    const [step] = twinOf(MIXED, 'udp').cases[0]!.steps;
    const [service, slice, node] = step!.apply!;
    expect((service!['spec'] as { ports: unknown }).ports).toEqual([
      { port: 53, protocol: 'UDP' },
      { port: 53, protocol: 'TCP' },
      { port: 53, protocol: 'SCTP' },
    ]);
    expect(slice!['ports']).toEqual([{ port: 53, protocol: 'UDP' }]);
    expect(node).toEqual(MIXED.cases[0]!.steps[0]!.apply![2]);
    expect(step!.flows.map(({ protocol }) => protocol)).toEqual(['UDP', 'TCP', 'SCTP']);
    expect(flowsOf(twinOf(MIXED, 'sctp')).map(({ protocol }) => protocol)).toEqual(['SCTP', 'UDP', 'TCP']);
  });

  test.each(['udp', 'sctp'] as const)(
    'twice over %s is the file itself, but for ids and a protocol that was left out',
    (name) => {
      for (const file of FILES) {
        const back = JSON.stringify(twinOf(twinOf(file, name), name)).replaceAll(`~${name}~${name}`, '');
        expect(JSON.parse(back)).toEqual(file);
      }
    },
  );
});

test('a twin of both kinds has both changes, in the place of the other family', () => {
  const [one] = flowsOf(twinOf(MIXED, 'family~udp'));
  expect(one).toMatchObject({ id: 'T#c01s1f1~family~udp', protocol: 'UDP', to: 'fd00:4:6::ac1e:29', from: 'fd00:4:6::a00:2' });
});

describe('the twin in the other family', () => {
  test('every unit keeps its verdict, and has another id and other addresses', () => {
    for (const file of FILES) {
      const flows = flowsOf(file);
      for (const [at, one] of flowsOf(twinOf(file, 'family')).entries()) {
        const { id, to, from, expect: expected } = flows[at]!;
        expect(one.id).toBe(`${id}~family`);
        expect(one.expect.verdict).toBe(expected.verdict);
        expect(one.to.includes(':')).toBe(!to.includes(':'));
        expect(one.from.includes(':')).toBe(!from.includes(':'));
        expect(new Set(one.expect.endpoints).size).toBe(new Set(expected.endpoints).size);
      }
    }
  });

  test('what lies in the cluster CIDR of a file lies in it in the twin, and nothing else does', () => {
    for (const file of FILES) {
      const twin = twinOf(file, 'family');
      for (const [at, one] of file.cases.entries()) {
        const cidrs = [one, twin.cases[at]!].map(({ config }, i) => (config ?? [file, twin][i]!.config)!.clusterCIDR!);
        const sides = [one, twin.cases[at]!].map(({ steps }, i) =>
          steps.flatMap(({ flows }) =>
            flows.map(({ from }) => from.includes(':') === cidrs[i]!.includes(':') && contains(cidrs[i]!, from)),
          ),
        );
        expect(sides[1]).toEqual(sides[0]);
      }
    }
  });

  test('IPv4 goes into one /96 with its prefix lengths', () => {
    const swap = addressSwap([]);
    expect(['10.0.1.2', '10.0.1.2/24', ' 203.0.113.0/25', '10.0.1.2:80', '0.0.0.0/0'].map(swap)).toEqual([
      'fd00:4:6::a00:102',
      'fd00:4:6::a00:102/120',
      ' fd00:4:6::cb00:7100/121',
      '[fd00:4:6::a00:102]:80',
      '::/0',
    ]);
  });

  test('an address that is not in its shortest form is in none in the twin', () => {
    const swap = addressSwap(['2001:0DB8::1']);
    expect(swap('172.30.0.041')).toBe('fd00:0004:0006:0000:0000:0000:ac1e:0029');
    expect(swap('2001:0DB8::1')).toMatch(/^100\.064\.000\.\d{3}$/);
  });

  test('loopback is loopback, whatever the prefix', () => {
    const swap = addressSwap([]);
    expect(['127.0.0.1', '127.0.0.0/8', '::1', '::1/128'].map(swap)).toEqual(['::1', '::1/128', '127.0.0.1', '127.0.0.1/32']);
  });

  test('what is no address stays as it is', () => {
    const swap = addressSwap(['svc1', '80', 'p80:80', '10.0.0', '1.2.3.4.5', '10.0.0.0/33', 'eth0']);
    for (const text of ['svc1', '80', 'p80:80', '10.0.0', '1.2.3.4.5', '10.0.0.0/33', 'eth0', '']) expect(swap(text)).toBe(text);
  });

  test('IPv6 blocks stay within each other, addresses within their blocks, and no two meet', () => {
    const texts = [
      'fd00::/16',
      'fd00:10::/64',
      'fd00:10::7',
      '2001:db8::1/64',
      '2001:db8::2',
      'fd00:11::1',
      '2001:db8:9::/112',
      '2001:db8:9::5:5',
    ];
    const swap = addressSwap(texts);
    const at = (text: string): string => swap(text);
    expect(contains(at('fd00::/16'), at('fd00:10::7'))).toBe(true);
    expect(contains(at('fd00:10::/64'), at('fd00:10::7'))).toBe(true);
    expect(contains(at('fd00:10::/64'), at('fd00:11::1'))).toBe(false);
    expect(contains(at('fd00::/16'), at('fd00:11::1'))).toBe(true);
    expect(contains(at('2001:db8::1/64'), at('2001:db8::2'))).toBe(true);
    expect(contains(at('2001:db8:9::/112'), at('2001:db8:9::5:5'))).toBe(false);
    const plain = texts.filter((text) => !text.includes('/')).map(at);
    expect(new Set(plain).size).toBe(plain.length);
  });
});

test('TWINS names twins, all of them or none, and says what there is otherwise', () => {
  expect(parseTwins('none')).toEqual([]);
  expect(parseTwins('all')).toEqual(['udp', 'sctp', 'family', 'family~udp', 'family~sctp']);
  expect(parseTwins('family, udp')).toEqual(['family', 'udp']);
  expect(() => parseTwins('tcp')).toThrow('TWINS=tcp: there is none, all, or some of udp,sctp,family,family~udp,family~sctp');
});

test('twins over other protocols run in the place of their case, those of the other family in another', () => {
  expect(['T#c01', 'T#c01~udp', 'T#c01~sctp'].map(placeOf)).toEqual(['T#c01', 'T#c01', 'T#c01']);
  expect(['T#c01~family', 'T#c01~family~udp', 'T#c01~family~sctp'].map(placeOf)).toEqual(Array(3).fill('T#c01~family'));
});
