// loadBalancerSourceRanges: who may use a load-balancer IP. Nothing else asks.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CASES, CLIENT_PORT, frontendsOf, PORT, segment, servicePort } from './cluster.ts';
import { Datapath } from './datapath.ts';
import { octetsOf } from './packet/write-packet.ts';

let datapath: Datapath;
beforeAll(async () => {
  datapath = await Datapath.load({ flags: { 'ebpf-rejects-per-second': '0' } });
});
beforeEach(() => datapath.forgetFlows());
afterAll(() => datapath.close());

const DROPPED = { drop_source_range: 1 };

describe.each(CASES)('over $title', ({ addresses, transport }) => {
  const { client, node, loadBalancerIP } = addresses;
  const bits = addresses.family === 'IPv4' ? 32 : 128;
  const web = (...sourceRanges: string[]) => servicePort(addresses, transport, { sourceRanges });
  const packet = (fields = {}) =>
    segment(transport, {
      ...{ source: client, destination: loadBalancerIP, sourcePort: CLIENT_PORT, destinationPort: PORT, ...fields },
    });
  const verdicts = (sent = packet()): Record<string, number> => datapath.counted(() => datapath.ingress(sent));

  test('a source inside of a range is let in, one outside is dropped in silence, unchanged', () => {
    datapath.program(web(`${client}/${bits}`));
    expect(verdicts()).toEqual({ flow_new: 1 });
    const other = packet({ source: addresses.stranger });
    const counted = datapath.counted(() =>
      expect(datapath.ingress(other)).toMatchObject({ verdict: 'drop', packet: octetsOf(other) }),
    );
    expect(counted).toEqual(DROPPED);
  });

  test('any of several ranges will do, however they overlap', () => {
    datapath.program(web(`${addresses.pod}/${bits}`, `${client}/${bits - 8}`, `${client}/${bits - 4}`));
    for (const source of [client, addresses.pod]) expect(verdicts(packet({ source }))).toEqual({ flow_new: 1 });
    expect(verdicts(packet({ source: addresses.otherEndpoint }))).toEqual(DROPPED);
  });

  test('a range of everything lets everybody in', () => {
    datapath.program(web(addresses.family === 'IPv4' ? '0.0.0.0/0' : '::/0'));
    expect(verdicts()).toEqual({ flow_new: 1 });
  });

  test('other frontends of the Service let everybody in', () => {
    datapath.program(web(`${addresses.pod}/${bits}`));
    for (const { kind, address, port } of frontendsOf(addresses)) {
      const counted = verdicts(packet({ destination: address, destinationPort: port, sourcePort: port }));
      expect({ kind, counted }).toEqual({ kind, counted: kind === 'load-balancer IP' ? DROPPED : { flow_new: 1 } });
    }
  });

  test('ranges of one Service say nothing about another', () => {
    datapath.program(
      web(`${client}/${bits}`),
      servicePort(addresses, transport, {
        ...{ name: 'other', clusterIP: addresses.otherEndpoint, nodePort: 0, externalIPs: [], port: 81 },
        sourceRanges: [`${addresses.pod}/${bits}`],
      }),
    );
    expect(verdicts()).toEqual({ flow_new: 1 });
    expect(verdicts(packet({ destinationPort: 81 }))).toEqual(DROPPED);
  });

  test('a source that is the load-balancer IP is let in exactly where the node is', () => {
    datapath.program(web(`${client}/${bits}`));
    expect(verdicts(packet({ source: loadBalancerIP }))).toEqual(DROPPED);
    datapath.program(web(`${client}/${bits}`, `${node}/${bits}`));
    expect(verdicts(packet({ source: loadBalancerIP }))).toEqual({ flow_new: 1 });
  });

  test('without endpoints, who may is rejected and who may not is dropped', () => {
    datapath.program(servicePort(addresses, transport, { sourceRanges: [`${client}/${bits}`], clusterEndpoints: [] }));
    expect(verdicts()).toEqual({ reject_sent: 1 });
    expect(verdicts(packet({ source: addresses.stranger }))).toEqual(DROPPED);
  });

  test('a connection that is open goes on when its source is shut out, and new ones are not let in', () => {
    datapath.program(web(`${client}/${bits}`));
    expect(verdicts()).toEqual({ flow_new: 1 });
    datapath.program(web(`${addresses.pod}/${bits}`));
    expect(datapath.ingress(packet({ flags: 'A' })).verdict).toBe('next');
    expect(verdicts(packet({ sourcePort: CLIENT_PORT + 1 }))).toEqual(DROPPED);
    datapath.program(web());
    expect(verdicts(packet({ sourcePort: CLIENT_PORT + 2 }))).toEqual({ flow_new: 1 });
    expect(datapath.map('source_ranges').keys()).toEqual([]);
  });

  test('a restart of the controller changes nothing, and what it no longer wants goes', () => {
    datapath.program(web(`${client}/${bits}`));
    datapath.restart();
    expect(verdicts(packet({ source: addresses.stranger }))).toEqual(DROPPED);
    datapath.program();
    expect(datapath.map('source_ranges').keys()).toEqual([]);
  });
});
