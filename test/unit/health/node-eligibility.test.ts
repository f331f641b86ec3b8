import { expect, test } from 'vitest';
import { readNode } from '../../../src/cluster/node.ts';
import { ObjectReader } from '../../../src/cluster/object-reader.ts';
import { isNodeEligible } from '../../../src/health/node-eligibility.ts';

/** Eligibility of a Node object as it stands in a manifest. */
function isEligible(fields: Record<string, unknown>): boolean {
  return isNodeEligible(readNode(new ObjectReader(fields), 'a'), 'manifests');
}

test('a missing Node object is eligible with manifests and not with an API server', () => {
  expect(isNodeEligible(null, 'manifests')).toBe(true);
  expect(isNodeEligible(null, 'api-server')).toBe(false);
});

test("a Node is eligible with any taint but the autoscaler's", () => {
  expect(isEligible({ metadata: { name: 'a' } })).toBe(true);
  expect(
    isEligible({ metadata: { name: 'a' }, spec: { taints: [{ key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' }] } }),
  ).toBe(true);
  expect(
    isEligible({
      metadata: { name: 'a' },
      spec: { taints: [{ key: 'x' }, { key: 'ToBeDeletedByClusterAutoscaler', value: '1' }] },
    }),
  ).toBe(false);
});

test('a Node that is being deleted is not eligible', () => {
  expect(isEligible({ metadata: { name: 'a', deletionTimestamp: '2026-11-21T08:15:00Z' } })).toBe(false);
});
