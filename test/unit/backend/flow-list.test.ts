// Flows as rows of the table tell them, while programs write it.
import { beforeEach, describe, expect, test } from 'vitest';
import { readFlows } from '../../../src/backend/ebpf/flow-list.ts';
import { BUSY } from '../../../src/backend/ebpf/flow-states.ts';
import type { Flow } from '../../../src/cli/flow.ts';
import { addressText } from '../../../src/datapath/address.ts';
import { FlowFlag, type FlowState } from '../../../src/datapath/layout.gen.ts';
import { TrafficTables } from './traffic-tables.ts';

const NOW_NS = 100_000_000_000n;
let tables: TrafficTables;
beforeEach(() => {
  tables = new TrafficTables();
});
const flows = (): Flow[] => readFlows(tables, NOW_NS, () => true);
function only(flow: Partial<FlowState>): Flow | undefined {
  tables.setFlow(3, flow);
  return flows()[0];
}
const textOf = (end: { address: Uint8Array; port: number } | null | undefined): string | null =>
  end ? `${addressText(end.address)} ${end.port}` : null;

test('a row has its ends, its Service, its times and counters', () => {
  const flow = only({ startedNs: 40_000_000_000n, lastSeenNs: 99_500_000_000n, requestPackets: 2n, replyBytes: 2n ** 34n });
  expect([flow?.client, flow?.frontend, flow?.backend].map(textOf)).toEqual(['10.0.0.9 4000', '10.96.0.1 80', '10.244.0.1 8080']);
  expect(flow?.service).toMatchObject({ namespace: 'default', name: 'web', portName: 'http', port: 80 });
  expect(flow).toMatchObject({ protocol: 'TCP', ageSeconds: 60, idleSeconds: 0.5, requestPackets: 2, replyBytes: 2 ** 34 });
});

test("the canary's flow is nobody's", () => {
  expect(only({ serviceId: 3 })).toBe(undefined);
});

test('a flow that began a moment from now is not of negative age', () => {
  expect(only({ startedNs: NOW_NS + 4_000_000n })?.ageSeconds).toBe(0);
});

test('a Service that is gone has no name, and a backend that left makes its flows stale', () => {
  expect(only({ serviceId: 9 })?.service).toBe(null);
  expect(only({ backendGeneration: 1 })?.isStale).toBe(true);
  expect(only({ backendGeneration: 0 })?.isStale).toBe(false);
});

test('a connection of the node that was given another port is sent where it is sent', () => {
  const flow = only({
    flags: FlowFlag.LB_FLOW_GUARD,
    serviceId: 0,
    backendId: 0,
    backendGeneration: 5,
    frontend: new Uint8Array(16),
    frontendPort: 0,
  });
  expect(flow).toMatchObject({ isGuard: true, isStale: false, service: null });
  expect(textOf(flow?.frontend)).toBe('10.244.0.1 8080');
});

const { LB_FLOW_REPLIED, LB_FLOW_ESTABLISHED, LB_FLOW_CLIENT_FIN, LB_FLOW_BACKEND_FIN, LB_FLOW_RESET } = FlowFlag;
test.each([
  [6, 0, 'syn'],
  [6, LB_FLOW_REPLIED, 'syn'],
  [6, LB_FLOW_REPLIED | LB_FLOW_ESTABLISHED, 'established'],
  [6, LB_FLOW_ESTABLISHED | LB_FLOW_CLIENT_FIN, 'closing'],
  [6, LB_FLOW_ESTABLISHED | LB_FLOW_CLIENT_FIN | LB_FLOW_BACKEND_FIN, 'closed'],
  [6, LB_FLOW_RESET, 'closed'],
  [132, LB_FLOW_ESTABLISHED, 'established'],
  [17, 0, 'unreplied'],
  [17, LB_FLOW_REPLIED, 'replied'],
])('protocol %i with flags %i is %s', (protocol, flags, state) => {
  expect(only({ protocol, flags })).toMatchObject({ state, isReplied: (flags & LB_FLOW_REPLIED) !== 0 });
});

describe('the source that the backend sees', () => {
  const { LB_FLOW_SNAT, LB_FLOW_MASQUERADE, LB_FLOW_OWN_ADDRESS } = FlowFlag;
  test.each([
    ['is the client', 0, '10.0.0.9 4001', false],
    ['is not known before the first packet leaves', LB_FLOW_MASQUERADE, null, true],
    ['is an address of the node', LB_FLOW_MASQUERADE | LB_FLOW_SNAT, '10.244.0.254 12000', true],
    ['may be what the client has anyway', LB_FLOW_MASQUERADE | LB_FLOW_SNAT | LB_FLOW_OWN_ADDRESS, '10.244.0.254 12000', false],
  ])('%s', (_, flags, source, isMasqueraded) => {
    const flow = only({ flags, stackPort: 4001 });
    expect(textOf(flow?.source)).toBe(source);
    expect(flow?.isMasqueraded).toBe(isMasqueraded);
  });
});

describe('while the table is read', () => {
  test('a row that ended, or became another flow, is left out', () => {
    for (const row of [0, 1, 2]) tables.setFlow(row, { claim: 10 + row, clientPort: row + 1 });
    tables.whileRead = () => {
      tables.setFlow(0, { claim: 0 });
      tables.setFlow(1, { claim: 99, clientPort: 555 });
    };
    expect(flows().map(({ client }) => client.port)).toEqual([3]);
  });

  test('a row that is being filled is left out', () => {
    tables.setFlow(0, { claim: BUSY });
    tables.setFlow(1, { claim: 0 });
    tables.setFlow(2, { claim: 5, clientPort: 5 });
    expect(flows().map(({ client }) => client.port)).toEqual([5]);
  });

  test('a flow that begins meanwhile is for the next time', () => {
    tables.whileRead = () => tables.setFlow(4, { claim: 8 });
    expect(flows()).toEqual([]);
    expect(flows()).toHaveLength(1);
  });
});
