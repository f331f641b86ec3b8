// Which units of a flow file a mode runs, with which settings: "Profiles" of the data's README.
import type { CaseConfig, Flow, FlowCase, FlowFile } from './flow-file.ts';

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

/** Why mode ebpf leaves a flow out, or ''. */
function skippedInEbpf(flow: Flow, file: FlowFile, flowCase: FlowCase, clusterIPs: Set<string>): string {
  const wide = flowCase.profiles ?? file.profiles;
  if (wide && !wide.includes('iptables')) return 'only for profile nftables';
  if (flow.profiles && !flow.profiles.includes('iptables')) {
    const isRefusal = flow.expect.verdict === 'reject' || flow.expect.verdict === 'drop';
    return isRefusal ? '' : 'only for profile nftables';
  }
  if (flow.profiles && flow.expect.verdict === 'pass' && clusterIPs.has(flow.to)) return 'ebpf rejects where iptables passes';
  if (flow.protocol === 'SCTP') return 'SCTP is not translated yet, and probing it needs sockets that this kernel lacks';
  return '';
}

/** Cases with units whose id matches; units that do not match are left out. */
export function selectCases(files: readonly FlowFile[], filter: RegExp): CaseRun[] {
  return files.flatMap((file) =>
    file.cases.flatMap((flowCase) => {
      const config = flowCase.config ?? file.config;
      if (!config) throw new Error(`${file.name} ${flowCase.id}: neither the file nor the case has a config`);
      const clusterIPs = clusterIPsOf(flowCase);
      const flows = flowCase.steps.flatMap((step) => step.flows).filter(({ id }) => filter.test(id));
      const units = new Map(flows.map((flow) => [flow.id, { flow, skip: skippedInEbpf(flow, file, flowCase, clusterIPs) }]));
      return units.size > 0 ? [{ file: file.name, flowCase, config: ebpfConfig(config), units }] : [];
    }),
  );
}
