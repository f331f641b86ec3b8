// The two devices of the host's port: a veth pair in the node's own network namespace.
import { writeFileSync } from 'node:fs';
import type { NetlinkAddress, NetlinkDevice } from '../../native/addon.ts';
import { Netlink } from '../../native/netlink.ts';
import { HOST_END_ADDRESS } from './host-aliases.ts';
import { DATAPATH_END, HOST_END, isHostPort } from './host-port-routes.ts';
import { runTool } from './tool.ts';

/**
 * Both ends have it, and neither asks for neighbours (NOARP): the neighbour of every route over such a device is the device's own
 * address, so a frame that goes in at one end is addressed to the other. Set by us, so udev leaves it alone.
 */
const MAC = '02:74:75:72:6e:6f';
const DEFAULT_MTU = 1500;
const MIN_MTU = 1280; // RFC 8200
const LOOPBACK = 772; // linux/if_arp.h
const IFF_UP = 0x1;
const IFF_NOARP = 0x80;
const ENDS = [HOST_END, DATAPATH_END] as const;

/**
 * On the node's end sources arrive that are not reached over it: routers and the node itself (ICMP errors), and external addresses,
 * since the kernel's look at a source (rp_filter) knows no ports. So any route to the source must do (2, which is stronger than
 * a strict `all`), which the kernel asks of devices that have an address. Whatever comes out there was written by our programs.
 */
const SETTINGS: readonly (readonly [string, string])[] = [
  [`ipv4/conf/${HOST_END}/rp_filter`, '2'],
  [`ipv4/conf/${HOST_END}/accept_local`, '1'],
  ...ENDS.flatMap((device): [string, string][] => [
    [`ipv6/conf/${device}/disable_ipv6`, '0'],
    [`ipv6/conf/${device}/accept_ra`, '0'],
  ]),
];

/**
 * The MTU of the device that has the node's address: what a socket would find on its way without the port. A smaller one further on
 * (a tunnel to other nodes) is told by the node itself, at once and without loss; a larger one (jumbo frames) would be lost.
 */
export function portMtu(
  devices: readonly NetlinkDevice[],
  addresses: readonly NetlinkAddress[],
  nodeIPs: readonly string[],
): number {
  const real = new Map(devices.filter((one) => one.type !== LOOPBACK && !isHostPort(one)).map((one) => [one.ifindex, one]));
  const having = addresses.filter(({ ifindex, scope }) => real.has(ifindex) && scope === 0);
  const uplink = having.find(({ address }) => nodeIPs.includes(address)) ?? having[0];
  return Math.max(MIN_MTU, real.get(uplink?.ifindex ?? 0)?.mtu ?? DEFAULT_MTU);
}

function isPair(a: NetlinkDevice, b: NetlinkDevice): boolean {
  const isSet = ({ kind, mac, flags }: NetlinkDevice): boolean =>
    kind === 'veth' && mac === MAC && (flags & IFF_NOARP) !== 0 && (flags & IFF_UP) !== 0;
  return isSet(a) && isSet(b) && a.linkIfindex === b.ifindex && b.linkIfindex === a.ifindex;
}

/** Makes the devices, or leaves them as they are. '' or the reason why not. */
export async function ensureDevices(mtu: number): Promise<string> {
  const devices = Netlink.listDevices();
  const [host, datapath] = ENDS.map((end) => devices.find(({ name }) => name === end));
  if (host && datapath && isPair(host, datapath)) return adjust(mtu, host.mtu === mtu && datapath.mtu === mtu);
  const foreign = [host, datapath].find((device) => device && !isHostPort(device));
  if (foreign) return `a device named ${foreign.name} is there and is not ours`;
  const end = (name: string): string => `${name} mtu ${mtu} address ${MAC} arp off`;
  const failed = await batch([
    ...(host || datapath ? [`link del ${(host ?? datapath)?.name}`] : []),
    `link add ${end(HOST_END)} type veth peer name ${end(DATAPATH_END)}`,
  ]);
  if (failed) return failed;
  // While it is down, so that it makes no addresses. Without IPv6 in the kernel there is nothing to keep from it.
  await batch(
    ENDS.map((name) => `link set ${name} addrgenmode none`),
    ['-force'],
  );
  return (await adjust(mtu, true)) || (await batch(ENDS.map((name) => `link set ${name} up`)));
}

/** What may have been changed since the devices were made. */
function adjust(mtu: number, isMtuSet: boolean): Promise<string> {
  for (const [name, value] of SETTINGS) writeSetting(name, value);
  const hasAddress = Netlink.listAddresses().some(({ address }) => address === HOST_END_ADDRESS);
  // Of scope host, so that nothing ever chooses it as its source.
  const addAddress = hasAddress ? [] : [`addr add ${HOST_END_ADDRESS}/32 dev ${HOST_END} scope host`];
  const setMtu = isMtuSet ? [] : ENDS.map((name) => `link set ${name} mtu ${mtu}`);
  return batch([...addAddress, ...setMtu]);
}

/** Best effort: /proc/sys may be read-only, and then the node's own settings are what holds. */
function writeSetting(name: string, value: string): void {
  try {
    writeFileSync(`/proc/sys/net/${name}`, value);
  } catch {
    // As said above.
  }
}

async function batch(lines: readonly string[], options: readonly string[] = []): Promise<string> {
  if (lines.length === 0) return '';
  const { status, stderr } = await runTool('ip', [...options, '-batch', '-'], `${lines.join('\n')}\n`);
  return status === 0 ? '' : stderr.trim() || `ip ended with status ${status}`;
}

/** Removes the devices, and with them every route over them. */
export async function removeDevices(): Promise<void> {
  const found = Netlink.listDevices().find(isHostPort);
  if (found) await runTool('ip', ['link', 'del', found.name]);
}
