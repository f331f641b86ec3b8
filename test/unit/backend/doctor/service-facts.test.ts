// Frontends as the checks see them.
import { expect, test } from 'vitest';
import { serviceFacts } from '../../../../src/backend/ebpf/doctor/gather.ts';
import { TrafficTables } from '../traffic-tables.ts';

test('Services of the cluster are facts; the canary, which has families that a cluster may lack, is none', () => {
  const facts = serviceFacts(new TrafficTables());
  expect(facts.map(({ service, port, family }) => `${service} ${port} ${family}`)).toEqual([
    'default/web http 10.96.0.1:80/TCP IPv4',
    'default/api 10.96.0.2:80/TCP IPv4',
  ]);
});
