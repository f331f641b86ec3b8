// Endpoints of one unit: slices merged, duplicates collapsed, the lists that traffic policies use. (kube-proxy-parity.md 5.3, 5.4)
import type { Endpoint, EndpointSlice, IpFamily, Protocol } from './model.ts';

export interface EndpointLists {
  readonly clusterEndpoints: readonly Endpoint[];
  readonly localEndpoints: readonly Endpoint[];
  readonly hasEndpoints: boolean;
}

/** What decides which slice ports belong to a unit: the port's name, never targetPort. */
export interface EndpointSelector {
  readonly portName: string;
  readonly protocol: Protocol;
  readonly ipFamily: IpFamily;
  readonly nodeName: string;
}

/**
 * Every endpoint of the unit, unique by ip and port, sorted by 'ip:port'. Of two copies the later one counts unless it is
 * terminating: a running pod wins over a terminating one whose address it got.
 */
export function mergeEndpoints(slices: Iterable<EndpointSlice>, selector: EndpointSelector): Endpoint[] {
  const merged = new Map<string, Endpoint>();
  for (const slice of slices) {
    if (slice.ipFamily !== selector.ipFamily) continue;
    for (const port of slice.ports) {
      if (port.name !== selector.portName || port.protocol !== selector.protocol) continue;
      for (const { address, nodeName, ready, serving, terminating } of slice.endpoints) {
        const key = `${address}:${port.port}`;
        if (merged.has(key) && terminating) continue;
        const isLocal = nodeName !== null && nodeName === selector.nodeName;
        merged.set(key, { ip: address, port: port.port, isLocal, ready, serving, terminating });
      }
    }
  }
  return [...merged.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, endpoint]) => endpoint);
}

const isReady = (endpoint: Endpoint): boolean => endpoint.ready;
const isDraining = (endpoint: Endpoint): boolean => endpoint.serving && endpoint.terminating;

/** Ready ones; where there are none, those that still serve while they terminate (KEP-1669). Each list falls back by itself. */
export function usableEndpoints(endpoints: readonly Endpoint[]): Endpoint[] {
  const ready = endpoints.filter(isReady);
  return ready.length > 0 ? ready : endpoints.filter(isDraining);
}

export function endpointLists(endpoints: readonly Endpoint[]): EndpointLists {
  return {
    clusterEndpoints: usableEndpoints(endpoints),
    localEndpoints: usableEndpoints(endpoints.filter((endpoint) => endpoint.isLocal)),
    hasEndpoints: endpoints.some((endpoint) => isReady(endpoint) || isDraining(endpoint)),
  };
}
