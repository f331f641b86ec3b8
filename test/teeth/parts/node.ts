// What the controller does about the node: devices, firewall, settings, links that somebody detached, tables that refuse rows.
import { type Part, part } from '../part.ts';

const DEVICES = 'netns/devices.test.ts';
const NETWORK = 'src/backend/ebpf/node-network.ts';
const FULL = 'netns/self-check.test.ts';
const CONFIG = 'src/backend/ebpf/datapath-config.ts';

export const NODE: readonly Part[] = [
  part(
    'a device without a row is none of ours',
    {
      file: 'hook_tc.h',
      from: 'SEC("tcx/ingress") int tc_ingress(struct __sk_buff *skb)\n{\n\t__u32 ifindex = skb->ifindex, address_flags;\n\tstruct lb_device *dev = bpf_map_lookup_elem(&devices, &ifindex);\n\tstruct lb_frontend *frontend;\n\tstruct flow flow = {};\n\tstruct packet p;\n\tint verdict;\n\n\tif (!dev ||',
      to: 'static const struct lb_device any_device = { .l2_length = ETH_HLEN };\n\nSEC("tcx/ingress") int tc_ingress(struct __sk_buff *skb)\n{\n\t__u32 ifindex = skb->ifindex, address_flags;\n\tstruct lb_device *dev = bpf_map_lookup_elem(&devices, &ifindex);\n\tstruct lb_frontend *frontend;\n\tstruct flow flow = {};\n\tstruct packet p;\n\tint verdict;\n\n\tif (!dev)\n\t\tdev = (struct lb_device *)&any_device;\n\tif (',
    },
    'frames.test.ts',
    /a device without a row is none of ours, also for a flow that there is/,
  ),
  part(
    'a device that went takes its links along, also where another one has its number by then',
    {
      file: NETWORK,
      from: 'all || this.#deleted.has(ifindex)',
      to: 'all',
    },
    DEVICES,
    /are moved into another namespace, and another device takes their number, while turnout is busy/,
  ),
  part(
    'a device that went, or has another name now, is let go',
    {
      file: NETWORK,
      from: 'for (const ifindex of present) if (!wanted.has(ifindex)) this.#unhook(ifindex);',
      to: 'void present;',
    },
    DEVICES,
    /are renamed while in use, and are left alone under a name that is excluded/,
  ),
  part(
    'a device that comes is hooked',
    {
      file: NETWORK,
      from: 'this.#follower = Netlink.follow((event) => this.#changed(event));',
      to: 'this.#follower = Netlink.follow(() => {});',
    },
    DEVICES,
    /are moved into another namespace and back/,
  ),
  part(
    "the masquerade mark leads through the host's FORWARD chain",
    { file: 'src/backend/ebpf/forward-rule.ts', from: ' -m mark --mark ', to: ' -m mark --mark 1/1 -m mark --mark ' },
    'netns/firewall.test.ts',
    /FORWARD policy drop by iptables-nft, pods on ptp > an external client still reaches pods here and there/,
  ),
  {
    name: 'timeouts are the conntrack settings',
    changes: [
      { file: CONFIG, from: 'nanoseconds(conntrack.tcpEstablishedTimeoutMs, ', to: 'nanoseconds(0, ' },
      { file: CONFIG, from: 'nanoseconds(conntrack.tcpCloseWaitTimeoutMs, ', to: 'nanoseconds(0, ' },
      { file: CONFIG, from: 'nanoseconds(conntrack.udpTimeoutMs, ', to: 'nanoseconds(0, ' },
      { file: CONFIG, from: 'nanoseconds(conntrack.udpStreamTimeoutMs, ', to: 'nanoseconds(0, ' },
    ],
    noticed: [
      { file: 'test/unit/backend/datapath-config.test.ts', name: /timeouts of flows > are those that are set for conntrack/ },
      {
        file: 'test/netns/snat-ports.test.ts',
        name: /IPv4 UDP > ports are given out until none is left, which is counted; an ended connection makes room/,
      },
    ],
  },
  part(
    'flows live for a day, an hour, 30 and 120 seconds where nothing is set',
    { file: CONFIG, from: 'BigInt(configuredMs || defaultMs)', to: 'BigInt(configuredMs)' },
    'unit/backend/datapath-config.test.ts',
    /timeouts of flows > are kube-proxy's and the kernel's where nothing is set/,
  ),
  part(
    'a table that refuses a row is named',
    { file: 'src/backend/ebpf/table-full.ts', from: "if (code === 'E2BIG' || code === 'ENOSPC') {", to: "if (code === '') {" },
    FULL,
    /says which table is full, keeps what was in force, and goes on when there is room/,
  ),
  part(
    'what was in force stays where a row is refused',
    {
      file: 'src/backend/ebpf/service-programmer.ts',
      from: 'this.#unsettled.push({ keys: [...batch.published.keys()], taken });\n      this.#settle();',
      to: 'void taken;',
    },
    'unit/backend/refused-writes.test.ts',
    /a pass whose rows are refused > leaves the lists that were in force, and no row of what is new/,
  ),
  part(
    'a link that somebody detached is attached again',
    { file: 'src/backend/ebpf/link-check.ts', from: '    attach();\n', to: '' },
    FULL,
    /attaches links again that somebody detached or whose pins somebody removed/,
  ),
  part(
    'a link that was detached is seen',
    {
      file: 'src/backend/ebpf/hooks.ts',
      from: "if (!isRightPlace(info)) return info.ifindex === 0 && info.cgroupId === 0n ? 'the link is detached' : 'the link is elsewhere';\n    return info.programId",
      to: 'return info.programId',
    },
    FULL,
    /attaches links again that somebody detached or whose pins somebody removed/,
  ),
];
