// How it is known that a proxy has everything: a marker Service is changed after all else, and read from what the proxy programmed.
// Its port, its endpoints' port and which of its endpoints are chosen come by one watch each: Services, EndpointSlices, Nodes.
import { FAMILIES, MARKER_ENDPOINTS, MARKER_IP } from './addresses.ts';
import { sliceOf } from './generate.ts';
import { type ApiEvent, hostPort } from './objects.ts';

const NAME = 'marker';
const ZONES = ['a', 'b', 'c'];
const FIRST = 1000;
const COUNT = 20_000;

const servicePort = (n: number): number => FIRST + (n % COUNT);
const targetPort = (n: number): number => FIRST + COUNT + (n % COUNT);

/** The events that change it for the nth time. */
export function markerEvents(n: number): ApiEvent[] {
  const clusterIPs = FAMILIES.map((family) => MARKER_IP[family]);
  const ports = [{ name: '', protocol: 'TCP', port: servicePort(n) }];
  const spec = { type: 'ClusterIP', clusterIP: clusterIPs[0], clusterIPs, ipFamilies: FAMILIES, ports };
  const service = { apiVersion: 'v1', kind: 'Service', metadata: { namespace: 'default', name: NAME }, spec };
  const slices = FAMILIES.map((family) => {
    const endpoints = MARKER_ENDPOINTS.map((address, i) => ({
      addresses: [address[family]],
      conditions: { ready: true },
      hints: { forZones: [{ name: ZONES[i]! }] },
    }));
    return sliceOf(NAME, family, 0, [{ name: '', protocol: 'TCP', port: targetPort(n) }], endpoints);
  });
  return [
    { type: 'set', path: '/api/v1/services', object: service },
    ...slices.map((object) => ({ type: 'set', path: '/apis/discovery.k8s.io/v1/endpointslices', object }) as const),
  ];
}

/** 'frontend endpoint,endpoint' for each family, sorted: how the readers below write what they find. */
export function markerRows(n: number, zone: string): string[] {
  const inZone = ZONES.indexOf(zone);
  const chosen = inZone < 0 ? MARKER_ENDPOINTS : [MARKER_ENDPOINTS[inZone]!];
  return FAMILIES.map((family) =>
    rowOf(
      hostPort(MARKER_IP[family], servicePort(n)),
      chosen.map((address) => hostPort(address[family], targetPort(n))),
    ),
  ).sort();
}

export const rowOf = (frontend: string, endpoints: readonly string[]): string => `${frontend} ${[...endpoints].sort().join()}`;

/** Of `nft list table`, both families. */
export function markerInNftables(text: string): string[] {
  const rows: string[] = [];
  for (const family of FAMILIES) {
    const ip = MARKER_IP[family];
    // The two tables have chains of the same names.
    const table = text.split(/^(?=table )/m).find((one) => one.startsWith(family === 'IPv4' ? 'table ip ' : 'table ip6 ')) ?? '';
    const port = new RegExp(`${ip.replaceAll('.', '\\.')} \\. tcp \\. (\\d+)[^,}]*: goto (service-[^ ,}]+)`).exec(table);
    if (!port) continue;
    const start = table.indexOf(`chain ${port[2]} {`);
    const rule = start < 0 ? '' : table.slice(start, table.indexOf('\n\t}', start));
    const endpoints = MARKER_ENDPOINTS.flatMap((address) => {
      const at = new RegExp(`${address[family].replaceAll('.', '\\.')}\\]?(?: \\. |:)(\\d+)`).exec(rule);
      return at ? [hostPort(address[family], Number(at[1]))] : [];
    });
    rows.push(rowOf(hostPort(ip, Number(port[1])), endpoints));
  }
  return rows.sort();
}

/** Of `iptables-save -t nat` and `ip6tables-save -t nat`. */
export function markerInIptables(text: string): string[] {
  return FAMILIES.flatMap((family) => {
    const length = family === 'IPv4' ? 32 : 128;
    const lines = text.split('\n');
    const rule = lines.find((line) => line.startsWith('-A KUBE-SERVICES') && line.includes(` ${MARKER_IP[family]}/${length} `));
    const port = / --dport (\d+) /.exec(rule ?? '')?.[1];
    if (!port) return [];
    const endpoints = MARKER_ENDPOINTS.flatMap((address) => {
      const at = lines.flatMap((line) => / --to-destination (\S+):(\d+)$/.exec(line)?.slice(1) ?? []);
      const index = at.findIndex((one) => one.replace(/^\[|\]$/g, '') === address[family]);
      return index < 0 ? [] : [hostPort(address[family], Number(at[index + 1]))];
    });
    return [rowOf(hostPort(MARKER_IP[family], Number(port)), endpoints)];
  }).sort();
}
