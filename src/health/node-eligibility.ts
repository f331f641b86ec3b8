// Should load balancers send traffic to this node? Decided from its Node object, as kube-proxy does for /healthz.
import type { Node } from '../state/model.ts';

/** The cluster autoscaler sets this taint, with any value and effect, on a node it is about to remove. */
export const TO_BE_DELETED_TAINT = 'ToBeDeletedByClusterAutoscaler';

/**
 * Decides eligibility. A missing Node object means "not eligible" with an API server, where every node has one (kube-proxy since
 * 1.34). With manifests it means "eligible": an edge node without an API server need not describe itself to be healthy.
 */
export function isNodeEligible(node: Node | null, source: 'manifests' | 'api-server'): boolean {
  if (node === null) return source === 'manifests';
  return node.isDeleting !== true && !(node.taintKeys ?? []).includes(TO_BE_DELETED_TAINT);
}
