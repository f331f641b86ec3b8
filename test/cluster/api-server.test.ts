// The control plane that the other tests here rest on is a real one: this is about the lab, without Turnout.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiServer } from '../../lab/api-server.ts';
import { Cluster, type Pod } from '../../lab/cluster.ts';
import { type KubeClient, KubeError } from '../../lab/kube-client.ts';
import {
  clusterIPsOf,
  endpointsOf,
  podReference,
  registerNode,
  runPod,
  serviceObject,
  setReady,
  slicesShow,
} from '../../lab/kube-objects.ts';

describe('the API server of the lab', () => {
  let cluster: Cluster;
  let server: ApiServer;
  let client: KubeClient;
  let pod: Pod;

  beforeAll(async () => {
    cluster = new Cluster({ nodes: 1 });
    const node = cluster.node(1);
    pod = node.addPod('web1');
    server = new ApiServer(cluster);
    await server.start();
    ({ client } = server);
    await registerNode(client, node);
  });
  afterAll(() => cluster?.close());

  /** What a watch from this version says first. */
  async function watchFrom(resourceVersion: string): Promise<string> {
    try {
      for await (const { type } of client.watch('Service', resourceVersion, AbortSignal.timeout(10_000))) return type;
    } catch (error) {
      return error instanceof KubeError ? String(error.status) : String(error);
    }
    return 'an end';
  }

  test('a Service gets an address of each family', async () => {
    const service = await client.create(serviceObject({ name: 'web' }));
    expect(clusterIPsOf(service)).toEqual([expect.stringMatching(/^10\.96\./), expect.stringMatching(/^fd00:10:96::/)]);
  });

  test('a Pod that gets ready appears in EndpointSlices, and one that is not ready does not serve', async () => {
    await runPod(client, pod, 'web');
    await slicesShow(client, 'web', pod);
    await setReady(client, pod, false);
    await slicesShow(client, 'web');
    await setReady(client, pod, true);
    await slicesShow(client, 'web', pod);
  });

  test('a Pod that is deleted with a grace period terminates and serves until it is gone', async () => {
    await client.delete(podReference(pod), 30);
    await client.waitFor('EndpointSlice', 'the endpoints terminate', (slices) => {
      const terminating = endpointsOf(slices, 'web', (is) => is.terminating === true && is.serving === true && is.ready !== true);
      return terminating.length === 2;
    });
    await client.delete(podReference(pod));
    await client.waitFor('EndpointSlice', 'there are none', (slices) => endpointsOf(slices, 'web', () => true).length === 0);
  });

  test('a restart keeps objects and what the controllers do', async () => {
    await server.stopServer();
    expect(await client.isReady()).toBe(false);
    await server.startServer();
    expect((await client.list('Service', 'default')).items.map(({ metadata }) => metadata.name)).toEqual(['kubernetes', 'web']);
    await runPod(client, pod, 'web');
    await slicesShow(client, 'web', pod);
  });

  test('after a compaction a watch from before it is told 410 Gone, and one from now is not', async () => {
    // Without its cache the API server asks etcd for history.
    await server.restartServer(['--watch-cache=false']);
    const before = (await client.list('Service')).metadata.resourceVersion;
    await client.create(serviceObject({ name: 'later' }));
    expect(await watchFrom(before)).toBe('ADDED');
    server.compact();
    expect(await watchFrom(before)).toBe('410');
    const now = (await client.list('Service')).metadata.resourceVersion;
    const next = watchFrom(now);
    await client.patch(
      { kind: 'Service', metadata: { namespace: 'default', name: 'later' } },
      { metadata: { labels: { a: 'b' } } },
    );
    expect(await next).toBe('MODIFIED');
  });

  test('the user of the nodes may read what kube-proxy reads, and nothing more', () => {
    const node = cluster.nodes[0]?.namespace;
    const kubeconfig = server.kubeconfig();
    const script = `
      const { KubeConfig, CoreV1Api } = await import('@kubernetes/client-node');
      const config = new KubeConfig();
      config.loadFromFile(process.argv[1]);
      const api = config.makeApiClient(CoreV1Api);
      const { items } = await api.listServiceForAllNamespaces();
      const secrets = await api.listSecretForAllNamespaces().then(() => 200, (error) => error.code);
      console.log(JSON.stringify({ services: items.length, secrets }));`;
    const answer = node?.run(process.execPath, '--input-type=module', '-e', script, kubeconfig);
    expect(JSON.parse(answer ?? '')).toEqual({ services: 3, secrets: 403 });
  });
});
