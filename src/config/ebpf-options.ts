// The `ebpf:` section of KubeProxyConfiguration and its --ebpf-* flags: one row a setting.
import type { Option } from './option.ts';
import {
  booleanKind,
  cgroupPatternsKind,
  choiceKind,
  devicePatternsKind,
  durationKind,
  folderKind,
  integerKind,
  portRangeKind,
  type ValueKind,
} from './value-kind.ts';

function ebpfOption<T>(
  name: string,
  flag: string,
  kind: ValueKind<T>,
  defaultValue: T,
  help: string,
  defaultText?: string,
): Option<T> {
  const texts = defaultText === undefined ? {} : { defaultText };
  return { flag: `ebpf-${flag}`, field: `ebpf.${name}`, kind, default: defaultValue, help, besideConfig: true, ...texts };
}

// Largest preallocated hash we let anyone ask for by accident: 16 million rows.
const rowsKind = integerKind(1, 2 ** 24);

export const EBPF_OPTIONS = {
  socketPathMode: ebpfOption(
    'socketPath.mode',
    'socket-path',
    choiceKind(['tcp', 'all', 'off']),
    'tcp',
    'Which sockets are translated at connect(): tcp, all (TCP and UDP) or off (packets only).',
  ),
  socketPathExclude: ebpfOption<readonly string[]>(
    'socketPath.exclude',
    'socket-path-exclude',
    cgroupPatternsKind,
    [],
    'Leave processes to the packet path whose cgroup, or one above it, matches. Patterns of paths below --ebpf-cgroup-root, as `/kubepods*/**/pod1234*`: `*`, `?` and `[a-z]` within one element, `**` for any number of them.',
    'none',
  ),
  hostPort: ebpfOption(
    'hostPort',
    'host-port',
    booleanKind,
    true,
    'Give traffic of the node that the socket path does not take a port of its own (devices turnout0 and turnout1).',
  ),
  cgroupRoot: ebpfOption(
    'cgroupRoot',
    'cgroup-root',
    folderKind,
    '',
    'cgroup v2 folder whose processes get the socket path.',
    'the cgroup2 mount of this mount namespace',
  ),
  bpffsRoot: ebpfOption(
    'bpffsRoot',
    'bpffs-root',
    folderKind,
    '',
    'bpffs folder where maps and links are pinned.',
    'the bpffs mount of this mount namespace',
  ),
  snatPortRange: ebpfOption(
    'snatPortRange',
    'snat-port-range',
    portRangeKind,
    { min: 10240, max: 29999 },
    'Source ports for masqueraded flows; keep it outside net.ipv4.ip_local_port_range and the node ports.',
    '10240-29999',
  ),
  masqueradeAll: ebpfOption<boolean | null>(
    'masqueradeAll',
    'masquerade-all',
    booleanKind,
    null,
    'Masquerade everything sent to ClusterIPs.',
    'as --masquerade-all or iptables.masqueradeAll',
  ),
  localhostNodePorts: ebpfOption<boolean | null>(
    'localhostNodePorts',
    'localhost-nodeports',
    booleanKind,
    null,
    'Serve node ports on 127.0.0.0/8 and ::1 to processes of the node.',
    'as --iptables-localhost-nodeports or iptables.localhostNodePorts',
  ),
  masqueradeBit: ebpfOption(
    'masqueradeBit',
    'masquerade-bit',
    integerKind(0, 31),
    14,
    'Bit of the packet mark that tells the host firewall a packet is masqueraded Service traffic.',
  ),
  syncPeriod: ebpfOption(
    'syncPeriod',
    'sync-period',
    durationKind({ isPositive: true }),
    30_000,
    'Longest time between retries of failed changes; /healthz fails after twice this.',
  ),
  minSyncPeriod: ebpfOption(
    'minSyncPeriod',
    'min-sync-period',
    durationKind({ isPositive: false }),
    1000,
    'Shortest time between two rounds of changes.',
  ),
  flowTableSize: ebpfOption('flowTableSize', 'flow-table-size', rowsKind, 131_072, 'Flows that can be tracked at once.'),
  serviceTableSize: ebpfOption(
    'serviceTableSize',
    'service-table-size',
    rowsKind,
    65_536,
    'Frontends: one for each Service port and address.',
  ),
  backendTableSize: ebpfOption(
    'backendTableSize',
    'backend-table-size',
    rowsKind,
    262_144,
    'Endpoint rows of all Services together.',
  ),
  affinityTableSize: ebpfOption(
    'affinityTableSize',
    'affinity-table-size',
    rowsKind,
    65_536,
    'Clients that are remembered for sessionAffinity ClientIP, one for each Service port they use; the oldest make room.',
  ),
  rejectsPerSecond: ebpfOption(
    'rejectsPerSecond',
    'rejects-per-second',
    integerKind(0),
    1000,
    'ICMP unreachable answers a second and CPU for Services without endpoints; 0 is no limit.',
  ),
  verifyPeriod: ebpfOption(
    'verifyPeriod',
    'verify-period',
    durationKind({ isPositive: false }),
    60_000,
    'Time between two comparisons of the kernel with what should be in it; 0s: only by `turnout verify`.',
  ),
  devicesInclude: ebpfOption<readonly string[]>(
    'devicesInclude',
    'devices-include',
    devicePatternsKind,
    [],
    'Attach only to network devices that match one of these shell patterns.',
    'all',
  ),
  devicesExclude: ebpfOption<readonly string[]>(
    'devicesExclude',
    'devices-exclude',
    devicePatternsKind,
    [],
    'Never attach to network devices that match one of these shell patterns.',
    'none',
  ),
};
