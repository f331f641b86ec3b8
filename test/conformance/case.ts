// Runs one case and its twins of the same addresses: their network, turnout as a user starts it, the steps of each in order.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Manifest, Turnout } from '../../lab/turnout.ts';
import { CaseLab, type SliceLike } from './case-lab.ts';
import { defaultObject } from './default-objects.ts';
import { sendFlow } from './flow.ts';
import type { CaseConfig, KubeObject, Step } from './flow-file.ts';
import type { CaseRun, SocketPath } from './units.ts';

/** fault: '' when the unit passed. */
export type Report = (unitId: string, fault: string) => void;

function configFile(config: CaseConfig, path: string): void {
  const text = {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'ebpf',
    hostnameOverride: config.nodeName,
    clusterCIDR: config.detectLocal?.mode === 'none' ? '' : (config.detectLocal?.cidr ?? config.clusterCIDR ?? ''),
    detectLocalMode: 'ClusterCIDR',
    nodePortAddresses: config.nodePortAddresses ?? [],
    oomScoreAdj: 0,
    conntrack: { maxPerCore: 0 },
    iptables: { masqueradeAll: config.masqueradeAll ?? false, localhostNodePorts: config.localhostNodePorts ?? true },
    ebpf: { minSyncPeriod: '0s' },
  };
  writeFileSync(path, JSON.stringify(text, null, 1));
}

function clusterObjects(config: CaseConfig): Manifest[] {
  const node = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: config.nodeName },
    spec: {},
    status: { addresses: [config.nodeIP, ...config.nodeIPs].map((address) => ({ type: 'InternalIP', address })) },
  };
  if (!config.serviceCIDRs?.length) return [node];
  const kind = { apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR', metadata: { name: 'kubernetes' } };
  return [node, { ...kind, spec: { cidrs: config.serviceCIDRs } }];
}

const keyOf = (kind: string, namespace: string | undefined, name: string): string => `${kind} ${namespace ?? ''}/${name}`;

function change(objects: Map<string, KubeObject>, step: Step): void {
  for (const object of step.apply ?? []) {
    objects.set(keyOf(object.kind, object.metadata.namespace, object.metadata.name), defaultObject(object));
  }
  for (const { kind, namespace, name } of step.delete ?? []) objects.delete(keyOf(kind, namespace, name));
}

/** The steps of one case on a network that is there; whatever an earlier twin left in the proxy is replaced by the first step. */
async function runSteps(place: CaseLab, turnout: Turnout, { flowCase, units }: CaseRun, report: Report): Promise<void> {
  const objects = new Map<string, KubeObject>();
  for (const step of flowCase.steps) {
    change(objects, step);
    const flows = step.flows.filter(({ id }) => units.get(id)?.skip === '');
    const slices = [...objects.values()].filter(({ kind }) => kind === 'EndpointSlice') as unknown as SliceLike[];
    await place.listen(slices, flows);
    if (step.restart) {
      await turnout.stop();
      await turnout.start();
    }
    await turnout.apply('objects', [...objects.values()] as Manifest[]);
    for (const flow of flows) report(flow.id, await sendFlow(place, flow));
  }
}

/** Cases of one place (twins.ts): they have the same configuration and addresses. */
export async function runCases(cases: readonly CaseRun[], socketPath: SocketPath, report: Report): Promise<void> {
  const [first] = cases;
  if (!first) return;
  const place = new CaseLab(first.config, first.flowCase);
  try {
    mkdirSync(place.folder);
    const path = join(place.folder, 'config.json');
    configFile(first.config, path);
    const turnout = new Turnout({
      lab: place.lab,
      namespace: place.node,
      nodeName: first.config.nodeName,
      // ICMP rate limits must be off on the node under test: the tries come faster than any real client's.
      flags: [`--config=${path}`, `--ebpf-socket-path=${socketPath}`, '--ebpf-rejects-per-second=0', '--v=2'],
    });
    turnout.write('cluster', clusterObjects(first.config));
    await turnout.start();
    for (const one of cases) await runSteps(place, turnout, one, report);
  } finally {
    await place.lab.close();
  }
}
