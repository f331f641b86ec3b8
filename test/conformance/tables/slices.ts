// Files about EndpointSlices alone: how they merge, and what counts as a change.
import { localReadyAddresses } from '../../../src/state/health-checks.ts';
import { SliceIndex } from '../../../src/state/slice-index.ts';
import { asSet, compare, compareFields } from './compare.ts';
import { endpointsOf, FAMILIES, servicesIn } from './endpoints-of.ts';
import { type Operation, operateSlice, slicesIn } from './objects.ts';
import type { Json, TableCase } from './table-file.ts';

const adding = (objects: readonly Json[]): Operation[] => objects.map((object) => ({ op: 'add', object }));

function indexOf(objects: readonly Json[]): SliceIndex {
  const index = new SliceIndex();
  for (const operation of adding(objects)) operateSlice(index, operation);
  return index;
}

export function endpointSliceMerge({ nodeName, service, slices, expect }: TableCase): string[] {
  const index = indexOf(slices);
  return compareFields(expect, { endpoints: (expected: Json) => endpointsOf(index, [service], nodeName, expected) });
}

export function endpointSliceChangeDetection({ initial, updated, expect }: TableCase): string[] {
  const index = indexOf(initial ? [initial] : []);
  return compareFields(expect, { changed: () => operateSlice(index, { op: 'update', object: updated }) });
}

/** endpoints: null when there is no change to tell. */
export function endpointSliceUpdates({ nodeName, initial, operation, expect }: TableCase): string[] {
  const operations: Operation[] = operation ? [operation] : [];
  const services = servicesIn(slicesIn([...adding(initial), ...operations]));
  const index = indexOf(initial);
  const previous = endpointsOf(index, services, nodeName, expect.previous ?? {});
  const changed = operations.some((one) => operateSlice(index, one));
  return compareFields(expect, {
    changed: () => changed,
    previous: () => previous,
    endpoints: (expected: Json) => (changed ? endpointsOf(index, services, nodeName, expected ?? {}) : null),
  });
}

const NODE = 'here';

/** A slice for each endpoint of the map. */
function slicesOfMap(endpointsMap: Readonly<Record<string, Json[]>>): Json[] {
  return Object.entries(endpointsMap).flatMap(([key, endpoints]) => {
    const [, namespace, name = '', portName = '', protocol] = /^(.*?)\/(.*?):(.*)\/(\w+)$/.exec(key) ?? [];
    return endpoints.map(({ endpoint, isLocal, ready, serving, terminating }, i) => {
      const [, ip = '', port] = /^\[?(.*?)\]?:(\d+)$/.exec(endpoint) ?? [];
      return {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { namespace, name: `${name}-${portName || 'port'}-${i}`, labels: { 'kubernetes.io/service-name': name } },
        addressType: ip.includes(':') ? 'IPv6' : 'IPv4',
        ports: [{ name: portName, protocol, port: Number(port) }],
        endpoints: [{ addresses: [ip], conditions: { ready, serving, terminating }, ...(isLocal && { nodeName: NODE }) }],
      };
    });
  });
}

export function localEndpointIps({ endpointsMap, expect }: TableCase): string[] {
  const slices = slicesOfMap(endpointsMap);
  const index = indexOf(slices);
  const ips = [...servicesIn(slicesIn(adding(slices)))].map((service): [string, string[]] => {
    return [service, asSet(FAMILIES.flatMap((family) => [...localReadyAddresses(index.of(service), family, NODE)]))];
  });
  const expected = Object.entries<string[]>(expect.localReadyEndpointIPs).map(([key, list]) => [key, asSet(list)]);
  const found = Object.fromEntries(ips.filter(([, list]) => list.length > 0));
  return compare('localReadyEndpointIPs', found, Object.fromEntries(expected));
}
