// The node around the datapath: forwarding, rp_filter, MTUs, conntrack, the kernel.
import { type Check, listed, type Remark } from './check.ts';
import type { DoctorFacts } from './facts.ts';

const PRESSURE_PERCENT = 80;
const FULL_PERCENT = 95;
const TUNNELS: ReadonlySet<string> = new Set(['vxlan', 'geneve', 'ipip', 'sit', 'gre', 'ip6tnl', 'wireguard', 'tun']);
const STRICT = '1';

function lookAtForwarding({ sysctls, services }: DoctorFacts): Remark[] {
  const switches = [
    ['IPv4', 'net.ipv4.ip_forward'],
    ['IPv6', 'net.ipv6.conf.all.forwarding'],
  ] as const;
  return switches.flatMap(([family, name]): Remark[] => {
    if (sysctls.get(name) !== '0' || !services.some((one) => one.family === family)) return [];
    const sentence = `The node does not forward ${family}: translated packets of pods and from outside end here.`;
    return [
      { severity: 'problem', sentence, evidence: `${name}=0`, advice: `sysctl -w ${name}=1, and keep it in /etc/sysctl.d` },
    ];
  });
}

/** Strict filtering is no trouble by itself: translated packets look like any other. It is where replies come in elsewhere. */
function lookAtRpFilter({ sysctls, uplinks }: DoctorFacts): Remark[] {
  if (uplinks.length < 2) return [];
  const all = sysctls.get('net.ipv4.conf.all.rp_filter') ?? '0';
  const strict = uplinks.filter((device) => {
    const own = sysctls.get(`net.ipv4.conf.${device}.rp_filter`) ?? '0';
    return (own > all ? own : all) === STRICT; // the kernel takes the larger
  });
  if (strict.length === 0) return [];
  const sentence =
    'The node has several default routes and filters sources strictly: what comes in by one and would be answered by another is dropped.';
  const advice = 'Set rp_filter to 2 (loose) on these devices, or route by source so that answers leave where requests came in.';
  return [{ severity: 'warning', sentence, evidence: `rp_filter=1 on ${listed(strict)}`, advice }];
}

function lookAtMtu({ devices, uplinks }: DoctorFacts): Remark[] {
  const tunnels = devices.filter(({ kind }) => TUNNELS.has(kind));
  const pods = devices.filter(
    ({ kind, name, slaveKind }) =>
      (kind === 'veth' || slaveKind === 'bridge') && !uplinks.includes(name) && !name.startsWith('turnout'),
  );
  return tunnels.flatMap((tunnel): Remark[] => {
    const larger = pods.filter(({ mtu }) => mtu > tunnel.mtu);
    if (larger.length === 0) return [];
    const sentence = `Devices of pods have a larger MTU than the tunnel ${tunnel.name}: large packets to other nodes need path MTU discovery, or stall where ICMP is filtered.`;
    const evidence = `${tunnel.name} ${tunnel.mtu}; ${listed(larger.map(({ name, mtu }) => `${name} ${mtu}`))}`;
    return [
      { severity: 'warning', sentence, evidence, advice: `Set the MTU of pods to ${tunnel.mtu} in the CNI's configuration.` },
    ];
  });
}

function lookAtConntrack({ conntrack }: DoctorFacts): Remark[] {
  if (!conntrack || conntrack.max <= 0) return [];
  const percent = Math.floor((100 * conntrack.count) / conntrack.max);
  if (percent < PRESSURE_PERCENT) return [];
  const isFull = percent >= FULL_PERCENT;
  const sentence = isFull
    ? "netfilter's table of connections is full: new connections are dropped, whoever makes them."
    : `netfilter's table of connections is ${percent} % full.`;
  const evidence = `nf_conntrack_count ${conntrack.count}, nf_conntrack_max ${conntrack.max}`;
  return [
    {
      severity: isFull ? 'problem' : 'warning',
      sentence,
      evidence,
      advice: 'Raise --conntrack-max-per-core or --conntrack-min; `conntrack -L` shows what fills it.',
    },
  ];
}

function lookAtKernel({ sysctls, clsact, hooks, hasConntrackCalls, pinFolder }: DoctorFacts): Remark[] {
  const remarks: Remark[] = [];
  if (sysctls.get('net.core.bpf_jit_enable') === '0') {
    const advice = 'sysctl -w net.core.bpf_jit_enable=1, then restart turnout: programs are compiled when they are loaded.';
    remarks.push({
      severity: 'warning',
      sentence: 'The kernel interprets BPF programs instead of compiling them: every packet costs several times as much.',
      evidence: 'net.core.bpf_jit_enable=0',
      advice,
    });
  }
  if (pinFolder !== '' && clsact.size > 0 && !hooks.some(({ pin }) => pin.startsWith('tc_'))) {
    remarks.push({
      severity: 'info',
      sentence: 'This kernel has no tcx (it came with 6.6): clsact filters do its work.',
      evidence: `${clsact.size} devices`,
      advice: 'Nothing to do.',
    });
  }
  if (hasConntrackCalls === false) {
    const sentence =
      "Programs cannot ask netfilter's conntrack: connections of an earlier kube-proxy are not known, and end when turnout takes over.";
    remarks.push({
      severity: 'info',
      sentence,
      evidence: 'no bpf_skb_ct_lookup in /proc/kallsyms',
      advice: 'Load nf_conntrack before turnout starts, where it is a module.',
    });
  }
  return remarks;
}

export const NODE_CHECKS: readonly Check[] = [
  { name: 'forwarding', symptom: 'Service not reachable', fine: 'The node forwards.', look: lookAtForwarding },
  {
    name: 'rp-filter',
    symptom: 'Node port not reachable from outside',
    fine: 'rp_filter and routes agree.',
    look: lookAtRpFilter,
  },
  {
    name: 'mtu',
    symptom: 'Slow, or connections stall',
    fine: 'No tunnel is narrower than the devices of pods.',
    look: lookAtMtu,
  },
  {
    name: 'conntrack',
    symptom: 'Slow, or connections stall',
    fine: "netfilter's table of connections has room.",
    look: lookAtConntrack,
  },
  { name: 'kernel', symptom: 'High CPU', fine: 'The kernel has everything.', look: lookAtKernel },
];
