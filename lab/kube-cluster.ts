// A cluster of the lab whose objects come from a real API server.
import type { ServiceRow } from '../src/cli/services-table.ts';
import { ApiServer } from './api-server.ts';
import { Cluster, type ClusterNode, type ClusterOptions, type Pod } from './cluster.ts';
import type { KubeClient, KubeObject } from './kube-client.ts';
import { addressesOfPods, clusterIPsOf, type KubeServiceOptions, registerNode, runPod, serviceObject } from './kube-objects.ts';
import { serve } from './service.ts';
import { until } from './turnout.ts';

const IN_FORCE_MS = 60_000;

export class KubeCluster {
  readonly cluster: Cluster;
  readonly server: ApiServer;
  readonly nodes: readonly [ClusterNode, ClusterNode];

  constructor(options: ClusterOptions = {}) {
    this.cluster = new Cluster({ ...options, nodes: 2 });
    const [first, second] = this.cluster.nodes;
    if (!first || !second) throw new Error('two nodes are needed');
    this.nodes = [first, second];
    this.server = new ApiServer(this.cluster);
    const kubeconfig = this.server.kubeconfig();
    for (const { turnout } of this.nodes) turnout.useApiServer(kubeconfig);
  }

  get client(): KubeClient {
    return this.server.client;
  }

  /** The API server with both nodes, without turnout. */
  async startServer(): Promise<void> {
    await this.server.start();
    await Promise.all(this.nodes.map((node) => registerNode(this.client, node)));
  }

  async start(): Promise<void> {
    await this.startServer();
    await Promise.all(this.nodes.map(({ turnout }) => turnout.start()));
  }

  /** A pod that listens, on the node of this index, without a Pod object. */
  async echo(name: string, node: 0 | 1): Promise<Pod> {
    const pod = this.nodes[node].addPod(name);
    await serve(pod);
    return pod;
  }

  /** A Service and its pods, in force on both nodes; gives the Service's addresses. */
  async expose(options: KubeServiceOptions, ...pods: readonly Pod[]): Promise<[string, string]> {
    const service = await this.client.create(serviceObject(options));
    await Promise.all(pods.map((pod) => runPod(this.client, pod, options.app ?? options.name)));
    await this.inForce(service, ...pods);
    return clusterIPsOf(service);
  }

  /** Resolves when both nodes send the Service's connections, whatever their address, to exactly these pods. */
  async inForce(service: KubeObject, ...pods: readonly Pod[]): Promise<void> {
    const { name } = service.metadata;
    const wanted = addressesOfPods(...pods).join();
    await this.programmed(`${name} leads to ${pods.map((pod) => pod.name).join(', ') || 'nobody'}`, (rows) => {
      const own = rows.filter((row) => row.name === name);
      const addresses = new Set(
        own.flatMap(({ endpoints }) => endpoints).map((one) => one.replace(/:\d+$/, '').replace(/[[\]]/g, '')),
      );
      return own.length > 0 && [...addresses].sort().join() === wanted;
    });
  }

  /** Resolves when what is programmed on both nodes is as wanted. */
  async programmed(what: string, isDone: (rows: readonly ServiceRow[]) => boolean): Promise<void> {
    for (const { name, turnout } of this.nodes) {
      await until(`${what} on ${name}`, () => isDone(turnout.services()), IN_FORCE_MS);
    }
  }

  /** What a node's /healthz answers; 0: nobody listens. */
  health({ namespace }: ClusterNode): number {
    const script = `fetch('http://127.0.0.1:10256/healthz').then(({ status }) => status, () => 0).then(console.log)`;
    return Number(namespace.run(process.execPath, '-e', script));
  }

  close(): Promise<void> {
    return this.cluster.close();
  }
}
