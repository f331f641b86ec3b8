// Every endpoint of a Service port as its slices have it, chosen or not: for people who ask why one is left out.
import { mergeEndpoints, type PortKey } from './endpoints.ts';
import type { EndpointSlice } from './model.ts';

export interface EndpointFact {
  readonly ip: string;
  readonly port: number;
  readonly isLocal: boolean;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  readonly zoneHints: readonly string[];
  readonly nodeHints: readonly string[];
}

export function endpointFacts(slices: Iterable<EndpointSlice>, port: PortKey, nodeName: string): EndpointFact[] {
  return mergeEndpoints(slices, port, nodeName).map(({ endpoint, zoneHints, nodeHints }) => ({
    ...endpoint,
    zoneHints,
    nodeHints,
  }));
}

/** Why an endpoint is not among the candidates. isLocalList: only endpoints of this node may be. */
export function whyLeftOut(endpoint: EndpointFact, isLocalList: boolean): string {
  const { ready, serving, terminating, isLocal, zoneHints, nodeHints } = endpoint;
  if (!ready && !(serving && terminating)) return terminating ? 'terminating, and it serves no more' : 'not ready';
  if (isLocalList && !isLocal) return 'on another node';
  if (!ready) return 'terminating, and others are ready';
  const hints = [...nodeHints.map((node) => `node ${node}`), ...zoneHints.map((zone) => `zone ${zone}`)];
  return hints.length > 0 ? `hints assign it to ${hints.join(', ')}` : 'hints assign others to this zone or node';
}
