// Endpoints that traffic to any node may use from this one: hints of the EndpointSlices. (kube-proxy-parity.md 5.4)

/** Where this node stands. zone: label topology.kubernetes.io/zone, '' when it has none or the Node is not known. */
export interface NodePlace {
  readonly nodeName: string;
  readonly zone: string;
}

export const ZONE_LABEL = 'topology.kubernetes.io/zone';

export interface Hinted {
  readonly zoneHints: readonly string[];
  readonly nodeHints: readonly string[];
}

/**
 * Of the ready endpoints, those hinted for this node, else those for its zone, else all. One endpoint without a hint
 * disables that level; there is no gradual fallback once a level is picked.
 */
export function nearestEndpoints<E extends Hinted>(ready: readonly E[], place: NodePlace): readonly E[] {
  if (ready.every((endpoint) => endpoint.nodeHints.length > 0)) {
    const forNode = ready.filter((endpoint) => endpoint.nodeHints.includes(place.nodeName));
    if (forNode.length > 0) return forNode;
  }
  if (place.zone !== '' && ready.every((endpoint) => endpoint.zoneHints.length > 0)) {
    const forZone = ready.filter((endpoint) => endpoint.zoneHints.includes(place.zone));
    if (forZone.length > 0) return forZone;
  }
  return ready;
}
