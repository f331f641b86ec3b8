// An API server's list and watch over plain HTTP on loopback, with bodies that are made once: so fast that what is measured is the
// proxy. Run by itself, `list-watch-server.ts SERVICES ENDPOINTS_EACH` prints its port and serves until its input ends.
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { nodeObject, type Size, serviceOf, sliceOf } from './objects.ts';

export interface ListWatchServer {
  readonly port: number;
  /** How many watch EndpointSlices. */
  readonly watchers: () => number;
  /** Tells them that a Service's slice has this many endpoints now. */
  update(service: number, endpoints: number): void;
}

const SLICES = '/apis/discovery.k8s.io/v1/endpointslices';

export async function startListWatchServer({ services, endpointsEach }: Size): Promise<ListWatchServer> {
  let version = 1;
  const versioned = (object: object): object => {
    const { metadata } = object as { metadata: object };
    return { ...object, metadata: { ...metadata, resourceVersion: String(version) } };
  };
  /** kube-proxy wants the list's own kind. */
  const listOf = (apiVersion: string, kind: string, items: object[]): Buffer =>
    Buffer.from(JSON.stringify({ apiVersion, kind, metadata: { resourceVersion: '1' }, items: items.map(versioned) }));
  const numbers = Array.from({ length: services }, (_, n) => n);
  const lists: Record<string, Buffer> = {
    '/api/v1/services': listOf('v1', 'ServiceList', numbers.map(serviceOf)),
    [SLICES]: listOf(
      'discovery.k8s.io/v1',
      'EndpointSliceList',
      numbers.map((n) => sliceOf(n, endpointsEach)),
    ),
    '/api/v1/nodes': listOf('v1', 'NodeList', [nodeObject]),
    '/apis/networking.k8s.io/v1/servicecidrs': listOf('networking.k8s.io/v1', 'ServiceCIDRList', []),
  };
  const watchers = new Set<ServerResponse>();
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://localhost');
    const list = lists[url.pathname];
    response.setHeader('content-type', 'application/json');
    if (!list) {
      response.statusCode = 404;
      response.end(JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 404, message: 'not found' }));
    } else if (url.searchParams.has('watch')) {
      response.flushHeaders();
      if (url.pathname === SLICES) watchers.add(response);
      response.on('close', () => watchers.delete(response));
    } else {
      response.end(list);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    watchers: () => watchers.size,
    update: (service, endpoints) => {
      version++;
      const event = `${JSON.stringify({ type: 'MODIFIED', object: versioned(sliceOf(service, endpoints)) })}\n`;
      for (const response of watchers) response.write(event);
    },
  };
}

if (import.meta.main) {
  const [services = 0, endpointsEach = 0] = process.argv.slice(2).map(Number);
  console.log((await startListWatchServer({ services, endpointsEach })).port);
  process.stdin.on('end', () => process.exit(0)).resume();
}
