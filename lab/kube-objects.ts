// Objects as users and kubelets make them. The pods are network namespaces of the lab; the API server's controllers do the rest.
import type { ClusterNode, Pod } from './cluster.ts';
import type { KubeClient, KubeObject, Reference } from './kube-client.ts';
import { TARGET_PORT } from './service.ts';
import type { Manifest } from './turnout.ts';

const NAMESPACE = 'default';
const APP = 'app'; // label

const condition = (type: string, isTrue: boolean): object => ({ type, status: isTrue ? 'True' : 'False' });

/** As kubelet does when it joins. */
export async function registerNode(client: KubeClient, node: ClusterNode): Promise<void> {
  const { status, ...object } = node.manifest;
  await client.create(object);
  await client.patch(object, { status: { ...(status as object), conditions: [condition('Ready', true)] } }, '/status');
}

export const podReference = ({ name }: Pod): Reference => ({ kind: 'Pod', metadata: { namespace: NAMESPACE, name } });

/** The Pod of a namespace, on its node, running, and ready or not. */
export async function runPod(client: KubeClient, pod: Pod, app: string, isReady = true): Promise<void> {
  await client.create({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: NAMESPACE, name: pod.name, labels: { [APP]: app } },
    spec: { nodeName: pod.nodeName, containers: [{ name: 'echo', image: 'echo' }] },
  });
  const podIPs = [{ ip: pod.ipv4 }, { ip: pod.ipv6 }];
  const conditions = ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map((type) => condition(type, isReady));
  await client.patch(podReference(pod), { status: { phase: 'Running', podIP: pod.ipv4, podIPs, conditions } }, '/status');
}

/** As kubelet does when the readiness probe says something else. */
export async function setReady(client: KubeClient, pod: Pod, isReady: boolean): Promise<void> {
  const conditions = [condition('ContainersReady', isReady), condition('Ready', isReady)];
  await client.patch(podReference(pod), { status: { conditions } }, '/status');
}

export interface KubeServiceOptions {
  readonly name: string;
  readonly app?: string; // of its pods; default: the name
  readonly port?: number; // default 80, TCP and UDP
  readonly spec?: Record<string, unknown>;
}

/** A dual-stack Service whose addresses the API server chooses. */
export function serviceObject({ name, app = name, port = 80, spec }: KubeServiceOptions): Manifest {
  const ports = ['TCP', 'UDP'].map((protocol) => ({ name: protocol.toLowerCase(), protocol, port, targetPort: TARGET_PORT }));
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: NAMESPACE, name },
    spec: { selector: { [APP]: app }, ipFamilyPolicy: 'RequireDualStack', ports, ...spec },
  };
}

/** IPv4, then IPv6. */
export function clusterIPsOf(service: KubeObject): [string, string] {
  const { clusterIPs } = service['spec'] as { clusterIPs: string[] };
  const [ipv4, ipv6] = [clusterIPs.find((ip) => ip.includes('.')), clusterIPs.find((ip) => ip.includes(':'))];
  if (!ipv4 || !ipv6) throw new Error(`Service ${service.metadata.name} has cluster IPs ${clusterIPs}`);
  return [ipv4, ipv6];
}

interface Endpoint {
  readonly addresses: readonly string[];
  readonly conditions: { readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean };
}

/** Addresses in the slices of a Service whose conditions are as asked. */
export function endpointsOf(
  slices: readonly KubeObject[],
  service: string,
  isWanted: (conditions: Endpoint['conditions']) => boolean = ({ ready }) => ready === true,
): string[] {
  return slices
    .filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === service)
    .flatMap((slice) => (slice['endpoints'] as Endpoint[] | null) ?? [])
    .flatMap(({ addresses, conditions }) => (isWanted(conditions) ? addresses : []))
    .sort();
}

export const addressesOfPods = (...pods: readonly Pod[]): string[] => pods.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]).sort();

/** Resolves when the EndpointSlice controller has made exactly these pods the ready endpoints of the Service. */
export async function slicesShow(client: KubeClient, service: string, ...pods: readonly Pod[]): Promise<void> {
  const wanted = addressesOfPods(...pods).join();
  await client.waitFor(
    'EndpointSlice',
    `the slices of ${service} show ${wanted}`,
    (slices) => endpointsOf(slices, service).join() === wanted,
  );
}
