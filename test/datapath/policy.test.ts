// Which endpoints a packet may reach and whose address they see: by frontend, traffic policy and origin of the packet.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Detector, DeviceFlag } from '../../src/datapath/layout.gen.ts';
import { CASES, CLIENT_PORT, CLUSTER_CIDRS, endpoint, frontendsOf, segment, servicePort, TARGET_PORT } from './cluster.ts';
import { Datapath } from './datapath.ts';
import { changed } from './packet/packet.ts';
import { readPacket } from './packet/read-packet.ts';
import './packet/to-be-packet.ts';

const MARK = 0x4000;

const byDevice = { detectorV4: Detector.LB_DETECTOR_DEVICE, detectorV6: Detector.LB_DETECTOR_DEVICE };
const NODES = {
  'no detector': {},
  'no detector, masquerade all': { flags: { 'masquerade-all': 'true' } },
  'detector by CIDR': { flags: { 'cluster-cidr': CLUSTER_CIDRS } },
  'detector by device, pod device': { variables: byDevice, device: { flags: DeviceFlag.LB_DEVICE_POD } },
  'detector by device, other device': { variables: byDevice },
};
type NodeName = keyof typeof NODES;

const nodes = new Map<NodeName, Datapath>();
beforeAll(async () => {
  for (const [name, settings] of Object.entries(NODES)) nodes.set(name as NodeName, await Datapath.load(settings));
});
beforeEach(() => {
  for (const node of nodes.values()) node.forgetFlows();
});
afterAll(() => {
  for (const node of nodes.values()) node.close();
});

/** Which endpoints, and whether they see the packet's own source. */
type Treatment = 'any as it is' | 'any masqueraded' | 'local as it is' | 'local masqueraded';
type Origin = 'client' | 'pod';
type Policy = 'Cluster' | 'Local';

const ROWS: readonly [NodeName, Origin, Policy, { toClusterIP: Treatment; toExternal: Treatment }][] = [
  ['no detector', 'client', 'Cluster', { toClusterIP: 'any as it is', toExternal: 'any masqueraded' }],
  ['no detector', 'pod', 'Cluster', { toClusterIP: 'any as it is', toExternal: 'any masqueraded' }],
  ['no detector', 'client', 'Local', { toClusterIP: 'local as it is', toExternal: 'local as it is' }],
  ['no detector', 'pod', 'Local', { toClusterIP: 'local as it is', toExternal: 'local as it is' }],
  ['no detector, masquerade all', 'client', 'Cluster', { toClusterIP: 'any masqueraded', toExternal: 'any masqueraded' }],
  ['no detector, masquerade all', 'client', 'Local', { toClusterIP: 'local masqueraded', toExternal: 'local as it is' }],
  ['detector by CIDR', 'client', 'Cluster', { toClusterIP: 'any masqueraded', toExternal: 'any masqueraded' }],
  ['detector by CIDR', 'pod', 'Cluster', { toClusterIP: 'any as it is', toExternal: 'any masqueraded' }],
  ['detector by CIDR', 'client', 'Local', { toClusterIP: 'local masqueraded', toExternal: 'local as it is' }],
  ['detector by CIDR', 'pod', 'Local', { toClusterIP: 'local as it is', toExternal: 'any as it is' }],
  ['detector by device, pod device', 'client', 'Cluster', { toClusterIP: 'any as it is', toExternal: 'any masqueraded' }],
  ['detector by device, pod device', 'client', 'Local', { toClusterIP: 'local as it is', toExternal: 'any as it is' }],
  ['detector by device, other device', 'pod', 'Cluster', { toClusterIP: 'any masqueraded', toExternal: 'any masqueraded' }],
  ['detector by device, other device', 'pod', 'Local', { toClusterIP: 'local masqueraded', toExternal: 'local as it is' }],
];

const FLOWS = 40; // all of them to one of two endpoints, by chance: never

describe.each(CASES)('over $title', ({ addresses, transport }) => {
  const local = endpoint(`${addresses.pod}5`, TARGET_PORT, true);
  const remote = endpoint(addresses.endpoint);

  test.each(ROWS)('with %s, a packet of a %s under policy %s is treated as %o', (node, origin, policy, expected) => {
    const datapath = nodes.get(node)!;
    const service = servicePort(addresses, transport, {
      ...{ internalTrafficPolicy: policy, externalTrafficPolicy: policy },
      ...{ clusterEndpoints: [remote, local], localEndpoints: [local] },
    });
    datapath.program(service);
    for (const frontend of frontendsOf(addresses)) {
      const reached = new Set<string>();
      const marks = new Set<number>();
      for (let i = 0; i < FLOWS; i++) {
        const sent = segment(transport, {
          ...{ source: addresses[origin], destination: frontend.address, destinationPort: frontend.port },
          sourcePort: CLIENT_PORT + i,
        });
        const { packet, mark } = datapath.ingress(sent);
        const { destination } = readPacket(packet).ip;
        expect(packet).toBePacket(changed(sent, { destination, destinationPort: TARGET_PORT }));
        reached.add(destination);
        marks.add(mark);
      }
      const treatment = frontend.kind === 'ClusterIP' ? expected.toClusterIP : expected.toExternal;
      expect({ frontend: frontend.kind, reached: [...reached].sort(), marks: [...marks] }).toEqual({
        frontend: frontend.kind,
        reached: (treatment.startsWith('any') ? [remote.ip, local.ip] : [local.ip]).sort(),
        marks: [treatment.endsWith('masqueraded') ? MARK : 0],
      });
      datapath.forgetFlows();
    }
  });
});
