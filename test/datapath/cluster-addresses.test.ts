// Addresses of the cluster that lead nowhere: ports that a ClusterIP does not have, and unallocated addresses of a ServiceCIDR.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CASES, CLIENT_PORT, endpoint, NODE_PORT, PORT, segment, servicePort, TARGET_PORT } from './cluster.ts';
import { Datapath } from './datapath.ts';
import { octetsOf } from './packet/write-packet.ts';

const SERVICE_CIDRS = { IPv4: '10.96.0.0/16', IPv6: 'fd00:96::/108' };
const UNALLOCATED = { IPv4: '10.96.7.7', IPv6: 'fd00:96::7:7' };

let datapath: Datapath;
beforeAll(async () => {
  datapath = await Datapath.load({ flags: { 'ebpf-rejects-per-second': '0' } });
});
beforeEach(() => {
  datapath.forgetFlows();
  datapath.serviceCidrs();
});
afterAll(() => datapath.close());

describe.each(CASES)('over $title', ({ addresses, transport }) => {
  const packet = (fields = {}) =>
    segment(transport, {
      ...{ source: addresses.client, destination: addresses.clusterIP, sourcePort: CLIENT_PORT, destinationPort: PORT + 1 },
      ...fields,
    });
  const untouched = (sent = packet()): void => {
    expect(
      datapath.counted(() => expect(datapath.ingress(sent)).toMatchObject({ verdict: 'next', packet: octetsOf(sent) })),
    ).toEqual({});
  };

  test.each([
    ['a port that no Service has', PORT + 1],
    ['the target port', TARGET_PORT],
    ['the node port', NODE_PORT],
  ])('%s is rejected at a ClusterIP', (_, destinationPort) => {
    datapath.program(servicePort(addresses, transport));
    const counted = datapath.counted(() => expect(datapath.ingress(packet({ destinationPort })).verdict).toBe('redirect'));
    expect(counted).toEqual({ reject_sent: 1 });
  });

  test('ports of the other Service that shares a ClusterIP are served as long as it is there', () => {
    const dns = servicePort(addresses, transport, {
      ...{ name: 'dns', port: PORT + 1, nodePort: 0, externalIPs: [], loadBalancerVIPs: [] },
      clusterEndpoints: [endpoint(addresses.otherEndpoint)],
    });
    datapath.program(servicePort(addresses, transport), dns);
    expect(datapath.ingress(packet()).verdict).toBe('next');
    datapath.forgetFlows();
    datapath.program(servicePort(addresses, transport));
    expect(datapath.ingress(packet()).verdict).toBe('redirect');
    datapath.program();
    untouched();
  });

  test('an address that is a ClusterIP and bound on the node is the node, as its own stack sees it', () => {
    datapath.program(servicePort(addresses, transport));
    datapath.addNodeAddress(addresses.clusterIP, { nodePorts: true });
    untouched();
    expect(datapath.ingress(packet({ destinationPort: PORT })).verdict).toBe('next');
    datapath.removeNodeAddress(addresses.clusterIP);
    expect(datapath.ingress(packet()).verdict).toBe('redirect');
  });

  test('a first fragment to an unallocated address of a ServiceCIDR is dropped like any packet', () => {
    datapath.program(servicePort(addresses, transport));
    datapath.serviceCidrs(SERVICE_CIDRS[addresses.family]);
    const ip =
      addresses.family === 'IPv4'
        ? { id: 7, moreFragments: true }
        : { extensions: [{ kind: 'fragment' as const, id: 7, offset: 0, moreFragments: true }] };
    const sent = packet({ destination: UNALLOCATED[addresses.family], ip });
    const counted = datapath.counted(() => expect(datapath.ingress(sent).verdict).toBe('drop'));
    expect(counted).toEqual({ drop_unallocated: 1 });
  });

  test('an unallocated address of a ServiceCIDR is dropped, and passes while none is known', () => {
    datapath.program(servicePort(addresses, transport));
    const sent = packet({ destination: UNALLOCATED[addresses.family] });
    untouched(sent);
    datapath.serviceCidrs(...Object.values(SERVICE_CIDRS));
    const counted = datapath.counted(() =>
      expect(datapath.ingress(sent)).toMatchObject({ verdict: 'drop', packet: octetsOf(sent) }),
    );
    expect(counted).toEqual({ drop_unallocated: 1 });
    datapath.serviceCidrs();
    untouched(sent);
  });

  test('an address of the node inside of a ServiceCIDR is the node', () => {
    datapath.serviceCidrs(...Object.values(SERVICE_CIDRS));
    datapath.addNodeAddress(UNALLOCATED[addresses.family], { nodePorts: false });
    untouched(packet({ destination: UNALLOCATED[addresses.family] }));
    datapath.removeNodeAddress(UNALLOCATED[addresses.family]);
  });

  test('a Service inside of a ServiceCIDR is served, and its undefined ports are rejected, not dropped', () => {
    datapath.program(servicePort(addresses, transport));
    datapath.serviceCidrs(...Object.values(SERVICE_CIDRS));
    expect(datapath.ingress(packet({ destinationPort: PORT })).verdict).toBe('next');
    expect(datapath.ingress(packet()).verdict).toBe('redirect');
  });

  test('after a restart of the controller both are as before', () => {
    datapath.program(servicePort(addresses, transport));
    datapath.restart();
    expect(datapath.ingress(packet()).verdict).toBe('redirect');
    datapath.program(servicePort(addresses, transport));
    expect(datapath.ingress(packet()).verdict).toBe('redirect');
  });
});
