import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ApiClient } from '../../../src/cluster/api-client.ts';
import { ApiSource } from '../../../src/cluster/api-source.ts';
import type { SourceWarning } from '../../../src/cluster/source.ts';
import type { Logger } from '../../../src/log.ts';
import { answerStatus, ListWatchServer } from './list-watch-server.ts';

const SERVICES = '/api/v1/services';
const SLICES = '/apis/discovery.k8s.io/v1/endpointslices';
const NODES = '/api/v1/nodes';
const CIDRS = '/apis/networking.k8s.io/v1/servicecidrs';
const ENDPOINTS = '/api/v1/endpoints';
const ALL_KINDS = ['EndpointSlice', 'Node', 'Service', 'ServiceCIDR'];

const service = (name: string, clusterIP: string, port: unknown = 80) => ({
  metadata: { namespace: 'default', name },
  spec: { clusterIP, ports: [{ port, protocol: 'TCP' }] },
});

/** What the listener was told, as a picture that is always current. */
class Picture {
  readonly objects = new Map<string, unknown>();
  readonly synced: string[] = [];
  readonly warnings: SourceWarning[] = [];

  readonly listener = {
    upsert: (object: { kind: string; name: string }) => void this.objects.set(`${object.kind} ${object.name}`, object),
    delete: ({ kind, name }: { kind: string; name: string }) => void this.objects.delete(`${kind} ${name}`),
    synced: (kind: string) => void this.synced.push(kind),
    warn: (warning: SourceWarning) => void this.warnings.push(warning),
  };

  get names(): string[] {
    return [...this.objects.keys()].sort();
  }
}

describe('the API server as a source', () => {
  let server: ListWatchServer;
  let picture: Picture;
  let stop: AbortController;
  let ended: Promise<void>;
  const lines: string[] = [];
  const log = (message: string): void => void lines.push(message);
  const logger = { info: log, warn: log, error: log, verbose: () => {} } as unknown as Logger;

  beforeEach(async () => {
    server = new ListWatchServer([SERVICES, SLICES, NODES, CIDRS]);
    await server.listen();
    picture = new Picture();
    stop = new AbortController();
    ended = Promise.resolve();
    lines.length = 0;
  });
  afterEach(async () => {
    stop.abort();
    await ended;
    await server.close();
  });

  function start(stallMs = 60_000): void {
    const client = new ApiClient({ kubeconfig: '', master: server.url, qps: -1, burst: 10 });
    ended = new ApiSource(client, 'node-a', logger, { firstRetryMs: 5, stallMs }).run(picture.listener, stop.signal);
  }
  const watched = () => vi.waitFor(() => expect(server.watching(SERVICES)).toBe(1), { timeout: 5000, interval: 5 });
  const eventually = (check: () => void) => vi.waitFor(check, { timeout: 5000, interval: 5 });

  test('lists everything, says so for each kind, then follows events', async () => {
    server.set(SERVICES, service('web', '10.96.0.1'));
    start();
    await eventually(() => expect([...picture.synced].sort()).toEqual(ALL_KINDS));
    expect(picture.names).toEqual(['Service web']);
    await watched();
    server.set(SERVICES, service('api', '10.96.0.2'));
    await eventually(() => expect(picture.names).toEqual(['Service api', 'Service web']));
    server.delete(SERVICES, 'default', 'web');
    await eventually(() => expect(picture.names).toEqual(['Service api']));
  });

  test("asks with kube-proxy's selectors, for bookmarks, and for its own Node only", async () => {
    start();
    await watched();
    const query = (path: string) => Object.fromEntries(server.requests.find((one) => one.path === path)?.query ?? []);
    expect(query(SERVICES)).toMatchObject({
      labelSelector: '!service.kubernetes.io/service-proxy-name',
      fieldSelector: 'spec.clusterIP!=None',
    });
    expect(query(SLICES)).toMatchObject({ labelSelector: '!service.kubernetes.io/headless' });
    expect(query(NODES)).toMatchObject({ fieldSelector: 'metadata.name=node-a' });
    const watch = server.requests.find(({ path, query: asked }) => path === SERVICES && asked.get('watch') === 'true');
    expect(watch?.query.get('allowWatchBookmarks')).toBe('true');
  });

  test('a server that is away at the start is waited for, and said once for each resource', async () => {
    await server.close();
    start();
    await eventually(() => expect(lines.filter((line) => line.includes('cannot be read'))).toHaveLength(4));
    expect(picture.synced).toEqual([]);
    server.set(SERVICES, service('web', '10.96.0.1'));
    await server.listen();
    await eventually(() => expect([...picture.synced].sort()).toEqual(ALL_KINDS));
    expect(picture.names).toEqual(['Service web']);
    expect(lines.filter((line) => line.includes('cannot be read'))).toHaveLength(4);
  });

  test('while the server is away everything stays; what changed meanwhile is caught up', async () => {
    server.set(SERVICES, service('web', '10.96.0.1'));
    start();
    await watched();
    await server.close();
    await eventually(() => expect(lines.some((line) => line.includes('cannot be read'))).toBe(true));
    expect(picture.names).toEqual(['Service web']);
    await server.listen();
    await watched();
    server.set(SERVICES, service('new', '10.96.0.3'));
    await eventually(() => expect(picture.names).toEqual(['Service new', 'Service web']));
  });

  test.each(['as the answer', 'as an event'])('410 Gone %s leads to a new list, and what is not in it is gone', async (how) => {
    server.set(SERVICES, service('old', '10.96.0.1'));
    start();
    await watched();
    server.forget(SERVICES, 'default', 'old');
    server.set(SERVICES, service('kept', '10.96.0.2'));
    if (how === 'as an event') {
      server.send(SERVICES, { type: 'ERROR', object: { kind: 'Status', code: 410, message: 'too old resource version' } });
    } else {
      let refused = false;
      server.misbehave = (path, query, response) => {
        if (path !== SERVICES || query.get('watch') !== 'true' || refused) return false;
        refused = true;
        answerStatus(response, 410, 'too old resource version');
        return true;
      };
      server.send(SERVICES, { type: 'ERROR', object: { kind: 'Status', code: 500, message: 'etcd leader changed' } });
    }
    await eventually(() => expect(picture.names).toEqual(['Service kept']));
  });

  test('a list that breaks off changes nothing', async () => {
    server.set(SERVICES, service('web', '10.96.0.1'));
    start();
    await watched();
    let broken = 0;
    server.misbehave = (path, query, response) => {
      if (path !== SERVICES || query.get('watch') === 'true' || broken >= 3) return false;
      broken++;
      response.write('{"metadata":{"resourceVersion":"200"},"items":[');
      setImmediate(() => response.destroy());
      return true;
    };
    const seen: string[][] = [];
    const { delete: forget } = picture.listener;
    picture.listener.delete = (reference) => {
      seen.push(picture.names);
      forget(reference);
    };
    server.send(SERVICES, { type: 'ERROR', object: { kind: 'Status', code: 410, message: 'too old' } });
    await eventually(() => expect(broken).toBe(3));
    await watched();
    expect(picture.names).toEqual(['Service web']);
    expect(seen).toEqual([]);
  });

  test('a watch that falls silent is opened again, from the version of the last bookmark', async () => {
    start(200);
    await watched();
    server.send(SERVICES, { type: 'BOOKMARK', object: { metadata: { resourceVersion: '4711' } } });
    const again = () => server.requests.filter(({ path, query }) => path === SERVICES && query.get('resourceVersion') === '4711');
    await eventually(() => expect(again().length).toBeGreaterThan(0));
    expect(again()[0]?.query.get('watch')).toBe('true');
  });

  test('without the EndpointSlice API, Endpoints are read', async () => {
    await server.close();
    server = new ListWatchServer([SERVICES, NODES, CIDRS, ENDPOINTS]);
    await server.listen();
    const subsets = [
      {
        addresses: [{ ip: '10.1.0.1', nodeName: 'node-a' }, { ip: 'fd00::1' }],
        notReadyAddresses: [{ ip: '10.1.0.2' }],
        ports: [{ port: 8080 }],
      },
    ];
    server.set(ENDPOINTS, { metadata: { namespace: 'default', name: 'web' }, subsets });
    start();
    await eventually(() => expect(picture.names).toEqual(['EndpointSlice web-0-ipv4', 'EndpointSlice web-0-ipv6']));
    expect(picture.objects.get('EndpointSlice web-0-ipv4')).toMatchObject({
      serviceName: 'web',
      ports: [{ port: 8080, protocol: 'TCP' }],
      endpoints: [
        { address: '10.1.0.1', nodeName: 'node-a', ready: true },
        { address: '10.1.0.2', nodeName: null, ready: false },
      ],
    });
    await eventually(() => expect(server.watching(ENDPOINTS)).toBe(1));
    server.set(ENDPOINTS, { metadata: { namespace: 'default', name: 'web' }, subsets: [] });
    await eventually(() => expect(picture.names).toEqual(['EndpointSlice web-empty']));
  });

  test('a server that knows no field selector for Services is asked by labels alone', async () => {
    server.set(SERVICES, service('web', '10.96.0.1'));
    server.misbehave = (path, query, response) => {
      if (path !== SERVICES || !query.has('fieldSelector')) return false;
      answerStatus(response, 400, 'field label not supported: spec.clusterIP');
      return true;
    };
    start();
    await eventually(() => expect(picture.names).toEqual(['Service web']));
  });

  test('a faulty object is reported once with its field, and its last good version stays', async () => {
    server.set(SERVICES, service('web', '10.96.0.1'));
    start();
    await watched();
    const good = picture.objects.get('Service web');
    server.set(SERVICES, service('web', '10.96.0.1', 70_000));
    server.set(SERVICES, service('web', '10.96.0.1', 70_000));
    server.set(SERVICES, service('other', '10.96.0.2'));
    await eventually(() => expect(picture.names).toContain('Service other'));
    expect(picture.warnings).toMatchObject([{ object: 'Service default/web', field: 'spec.ports[0].port' }]);
    expect(picture.objects.get('Service web')).toBe(good);
  });

  test('an entry that cannot be read is reported once and left out alone', async () => {
    const { spec, metadata } = service('web', '10.96.0.1');
    const withIPs = (...externalIPs: string[]) => ({ metadata, spec: { ...spec, externalIPs } });
    server.set(SERVICES, withIPs('192.0.2.1', 'x'));
    start();
    await watched();
    expect(picture.objects.get('Service web')).toMatchObject({ externalIPs: ['192.0.2.1'] });
    server.set(SERVICES, withIPs('192.0.2.2', 'x'));
    server.set(SERVICES, service('other', '10.96.0.2'));
    await eventually(() => expect(picture.names).toContain('Service other'));
    expect(picture.objects.get('Service web')).toMatchObject({ externalIPs: ['192.0.2.2'] });
    expect(picture.warnings).toEqual([
      {
        where: 'API server',
        object: 'Service default/web',
        field: 'spec.externalIPs[1]',
        message: 'is no IP address: "x"; it is left out, the rest is in force',
      },
    ]);
  });
});
