// What the demo shows, scene by scene. Everything is real: namespaces, packets, processes; only the machines are small.
import type { Cluster, ClusterNode, Pod } from '../lab/cluster.ts';
import type { Namespace } from '../lab/namespace.ts';
import { serve, serviceWithSlices } from '../lab/service.ts';
import type { Screen } from './screen.ts';
import { OpenConnections, show } from './traffic.ts';

const CLUSTER_IPS = ['10.96.0.10', 'fd00:10:96::10'];
const NODE_PORT = 30080;
const OPEN = 200;
const PROTOCOLS = ['TCP', 'UDP'] as const;

export interface Stage {
  readonly screen: Screen;
  readonly cluster: Cluster;
  readonly node1: ClusterNode;
  readonly node2: ClusterNode;
  readonly shop: Pod; // calls, on node1
  readonly web1: Pod; // serves, on node1
  readonly web2: Pod; // serves, on node2
}

const web = (pods: readonly Pod[]) => serviceWithSlices({ name: 'web', clusterIPs: CLUSTER_IPS, pods, nodePort: NODE_PORT });

export async function build(screen: Screen, cluster: Cluster): Promise<Stage> {
  const [node1, node2] = [cluster.node(1), cluster.node(2)];
  const [shop, web1, web2] = [node1.addPod('shop'), node1.addPod('web-1'), node2.addPod('web-2')];
  await Promise.all([serve(web1), serve(web2)]);
  screen.result(true, 'network namespaces', '2 nodes, 3 pods, 1 client outside; strict rp_filter, no kube-proxy');
  await cluster.start();
  for (const { name, turnout } of cluster.nodes) screen.result(true, `turnout on ${name}`, `ready, pid ${turnout.instancePid}`);
  await cluster.apply('web', web([web1, web2]));
  screen.result(true, 'manifests in force', `Service web ${CLUSTER_IPS.join(', ')} port 80, NodePort ${NODE_PORT}, 2 endpoints`);
  return { screen, cluster, node1, node2, shop, web1, web2 };
}

/** Both families and protocols from one place to one port. */
async function everyKind(stage: Stage, from: Namespace, addresses: readonly string[], port: number): Promise<void> {
  for (const to of addresses) {
    for (const protocol of PROTOCOLS) await show(stage.screen, { from, to, port, protocol, expected: [stage.web1, stage.web2] });
  }
}

export async function calls(stage: Stage): Promise<void> {
  const { screen, cluster, shop, node1, web1, web2 } = stage;
  screen.scene('A pod calls the ClusterIP', 'Pod shop on node1. The backends see the pod itself: nothing is masqueraded.');
  await everyKind(stage, shop.namespace, CLUSTER_IPS, 80);
  screen.scene('The host calls the ClusterIP', 'A process of node1: translated once, when its socket connects.');
  await everyKind(stage, node1.namespace, CLUSTER_IPS, 80);
  screen.scene(
    'A client outside calls the NodePort of node1',
    'web-2 is on node2: node1 sends the client on, and answers for it.',
  );
  await everyKind(stage, cluster.client, [node1.ipv4, node1.ipv6], NODE_PORT);
  screen.scene('A pod calls a Service that has no endpoints', 'Refused at once, as kube-proxy does; a timeout would be a bug.');
  const empty = serviceWithSlices({ name: 'empty', clusterIPs: ['10.96.0.11', 'fd00:10:96::11'], pods: [] });
  await cluster.apply('empty', empty);
  const [outcome] = await shop.namespace.agent.connect({ protocol: 'TCP', to: '10.96.0.11', port: 80 });
  const found = outcome?.ok ? `answered by ${outcome.endpoint}` : (outcome?.error ?? 'nothing');
  screen.result(found === 'ECONNREFUSED', 'TCP to 10.96.0.11:80', found);
  await cluster.apply('web', web([web1, web2]));
}

export async function changes(stage: Stage): Promise<void> {
  const { screen, cluster, node1, web1, web2 } = stage;
  screen.scene('Backends come and go while connections run', `${OPEN} connections from outside stay open all the while.`);
  await cluster.apply('web', web([web1]));
  const open = new OpenConnections(cluster.client, 'changes');
  await open.open(screen, node1.ipv4, NODE_PORT, OPEN);
  const call = { from: cluster.client, to: node1.ipv4, port: NODE_PORT, protocol: 'TCP' } as const;
  await cluster.apply('web', web([web1, web2]));
  await show(screen, { ...call, expected: [web1, web2] });
  await open.check(screen, 'web-2 was added');
  await cluster.apply('web', web([web2]));
  await show(screen, { ...call, expected: [web2] });
  await open.check(screen, 'web-1 was removed, its pod lives');
  await cluster.apply('web', web([web1, web2]));
  await open.close();
}

export async function killed(stage: Stage): Promise<void> {
  const { screen, cluster, node1, shop, web1, web2 } = stage;
  screen.scene('turnout is killed while connections run', 'kill -9: programs and tables are in the kernel, and stay.');
  const open = new OpenConnections(cluster.client, 'killed');
  await open.open(screen, node1.ipv4, NODE_PORT, OPEN);
  await open.open(screen, node1.ipv6, NODE_PORT, OPEN);
  const { turnout } = node1;
  const before = turnout.instancePid;
  await turnout.stop('SIGKILL');
  screen.result(turnout.instancePid === 0, `kill -9 ${before}`, 'no turnout on node1');
  await open.check(screen, 'without turnout');
  await show(screen, { from: shop.namespace, to: CLUSTER_IPS[0] ?? '', port: 80, protocol: 'TCP', expected: [web1, web2] });
  await turnout.start();
  screen.result(true, 'turnout again', `ready, pid ${turnout.instancePid}`);
  await open.check(screen, 'taken over');
  await open.close();
}

export function look({ screen, node1 }: Stage): void {
  screen.scene('What an operator sees on node1');
  screen.command('turnout services', node1.turnout.run('services'));
  screen.say();
  screen.command('turnout status', node1.turnout.run('status'));
}
