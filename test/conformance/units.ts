// Which units of a flow file a mode runs, with which settings: "Profiles" of the data's README.
import { canonicalIp } from '../../src/state/ip.ts';
import type { CaseConfig, Flow, FlowCase, FlowFile } from './flow-file.ts';

export type SocketPath = 'tcp' | 'off';

export interface Unit {
  readonly flow: Flow;
  readonly skip: string; // why it is not run; '' : it is
}

export interface CaseRun {
  readonly file: string;
  readonly flowCase: FlowCase;
  readonly config: CaseConfig;
  readonly units: ReadonlyMap<string, Unit>; // by flow id
}

/** Profile iptables, with the serviceCIDRs of profile nftables. */
function ebpfConfig({ profiles, ...config }: CaseConfig): CaseConfig {
  const serviceCIDRs = profiles?.['nftables']?.serviceCIDRs;
  return { ...config, ...profiles?.['iptables'], ...(serviceCIDRs && { serviceCIDRs }) };
}

function clusterIPsOf({ steps }: FlowCase): Set<string> {
  const services = steps.flatMap((step) => step.apply ?? []).filter(({ kind }) => kind === 'Service');
  return new Set(services.map(({ spec }) => (spec as { clusterIP?: string }).clusterIP ?? ''));
}

const plain = (address: string): string => canonicalIp(address) ?? address;

/**
 * What the host sends to its own addresses goes through the local routing table, which wins over every route, and over lo, which has no
 * programs: only the socket path can translate it. Where nothing is to be translated it does not matter.
 */
function needsMissingSocketPath({ origin, protocol, to, expect }: Flow, config: CaseConfig, socketPath: SocketPath): string {
  const isHost = origin === 'node' || origin === 'loopback';
  const own = config.interfaces.flatMap(({ addresses }) => addresses.map((one) => plain(one.split('/')[0] ?? '')));
  if (!isHost || expect.verdict === 'pass' || expect.verdict === 'accept' || !own.includes(plain(to))) return '';
  if (protocol === 'SCTP') return 'the host to its own address over SCTP: no socket hook exists for it';
  return socketPath === 'off' ? 'the host to its own address: only the socket path can translate it' : '';
}

/**
 * Addresses that are no ClusterIP are routed to the host's port by address, protocol and port. A real socket has a port when its
 * route is chosen; a raw one, by which SCTP is probed here, has none (real SCTP sockets: test/vm/sctp.test.ts).
 */
function needsRealSocket({ origin, protocol, to, expect }: Flow, clusterIPs: Set<string>): string {
  if (origin !== 'node' || protocol !== 'SCTP' || expect.verdict === 'pass' || clusterIPs.has(to)) return '';
  return 'the host to a load-balancer IP by a raw socket: its route is chosen before the packet has a port';
}

/** Why mode ebpf leaves a flow out, or ''. */
function skippedInEbpf(flow: Flow, file: FlowFile, flowCase: FlowCase, clusterIPs: Set<string>): string {
  if (flowCase.obsolete) return 'obsolete: the gate is locked on in current releases';
  const wide = flowCase.profiles ?? file.profiles;
  if (wide && !wide.includes('iptables')) return 'only for profile nftables';
  if (flow.profiles && !flow.profiles.includes('iptables')) {
    const isRefusal = flow.expect.verdict === 'reject' || flow.expect.verdict === 'drop';
    return isRefusal ? '' : 'only for profile nftables';
  }
  if (flow.profiles && flow.expect.verdict === 'pass' && clusterIPs.has(flow.to)) return 'ebpf rejects where iptables passes';
  return '';
}

/** Cases with units whose id matches; units that do not match are left out. */
export function selectCases(files: readonly FlowFile[], filter: RegExp, socketPath: SocketPath): CaseRun[] {
  return files.flatMap((file) =>
    file.cases.flatMap((flowCase) => {
      const written = flowCase.config ?? file.config;
      if (!written) throw new Error(`${file.name} ${flowCase.id}: neither the file nor the case has a config`);
      const config = ebpfConfig(written);
      const clusterIPs = clusterIPsOf(flowCase);
      const skipOf = (flow: Flow): string =>
        skippedInEbpf(flow, file, flowCase, clusterIPs) ||
        needsMissingSocketPath(flow, config, socketPath) ||
        needsRealSocket(flow, clusterIPs);
      const flows = flowCase.steps.flatMap((step) => step.flows).filter(({ id }) => filter.test(id));
      const units = new Map(flows.map((flow) => [flow.id, { flow, skip: skipOf(flow) }]));
      return units.size > 0 ? [{ file: file.name, flowCase, config, units }] : [];
    }),
  );
}
