// Which devices are hooked, and the row of each. Pure: rtnetlink's picture in, rows out. (design rule 1)
import type { Config } from '../../config/config.ts';
import { addressOctets } from '../../datapath/address.ts';
import { type Device, DeviceFlag } from '../../datapath/layout.gen.ts';
import type { NetlinkAddress, NetlinkDevice } from '../../native/addon.ts';
import { DATAPATH_END, isHostPort } from './host-port-routes.ts';

export interface DeviceOptions {
  readonly include: readonly string[]; // shell patterns; empty: all
  readonly exclude: readonly string[];
  readonly podDevice: (device: NetlinkDevice, master: NetlinkDevice | undefined) => boolean;
}

/** detectLocalMode's devices: the bridge, or those whose names begin so. A port counts as its bridge: the node's stack sees that one. */
export function podDeviceOf(
  config: Pick<Config, 'detectLocalMode' | 'podBridgeInterface' | 'podInterfaceNamePrefix'>,
): DeviceOptions['podDevice'] {
  const { detectLocalMode, podBridgeInterface, podInterfaceNamePrefix } = config;
  return ({ name }, master) => {
    if (detectLocalMode === 'BridgeInterface') return name === podBridgeInterface || master?.name === podBridgeInterface;
    if (detectLocalMode === 'InterfaceNamePrefix') return (master?.name ?? name).startsWith(podInterfaceNamePrefix);
    return false;
  };
}

// linux/if_arp.h
const ARPHRD_ETHER = 1;
const LAYER_3_TYPES: ReadonlySet<number> = new Set([
  512, // PPP
  768, // TUNNEL (ipip)
  769, // TUNNEL6
  776, // SIT
  778, // IPGRE
  823, // IP6GRE
  65534, // NONE: tun, wireguard
]);
const SCOPE_GLOBAL = 0;
const SECONDARY_OR_TEMPORARY = 0x01;
const DEPRECATED = 0x20;
const TENTATIVE = 0x40;
const ETHERNET_OCTETS = 14;

/** A shell pattern of `*` and `?` against a device name. */
export function matchesPattern(pattern: string, name: string): boolean {
  const expression = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${expression}$`).test(name);
}

/** Bridge masters, members of bonds and teams, loopback, ifb and everything in a VRF stay alone. No pattern holds for our own devices. */
export function isHooked(device: NetlinkDevice, options: Pick<DeviceOptions, 'include' | 'exclude'>): boolean {
  if (['bridge', 'ifb', 'vrf'].includes(device.kind) || ['bond', 'team', 'vrf'].includes(device.slaveKind)) return false;
  if (isHostPort(device)) return true;
  if (device.type !== ARPHRD_ETHER && !LAYER_3_TYPES.has(device.type)) return false;
  const matches = (patterns: readonly string[]): boolean => patterns.some((pattern) => matchesPattern(pattern, device.name));
  return !matches(options.exclude) && (options.include.length === 0 || matches(options.include));
}

function isSource(address: NetlinkAddress): boolean {
  return address.scope === SCOPE_GLOBAL && (address.flags & (SECONDARY_OR_TEMPORARY | DEPRECATED | TENTATIVE)) === 0;
}

/** Rows by ifindex. A bridge port has its bridge's addresses and MAC; a device without an address borrows one, as the kernel does. */
export function deviceRows(
  devices: readonly NetlinkDevice[],
  addresses: readonly NetlinkAddress[],
  options: DeviceOptions,
): Map<number, Device> {
  const byIndex = new Map(devices.map((device) => [device.ifindex, device]));
  const sources = { 4: new Map<number, string>(), 6: new Map<number, string>() };
  for (const address of addresses) {
    const known = sources[address.family];
    if (isSource(address) && !known.has(address.ifindex)) known.set(address.ifindex, address.address);
  }
  const borrowed = (family: 4 | 6): string => {
    const lowest = Math.min(...sources[family].keys());
    return sources[family].get(lowest) ?? '';
  };
  const fallback = { 4: borrowed(4), 6: borrowed(6) };
  const rows = new Map<number, Device>();
  for (const device of devices) {
    if (!isHooked(device, options)) continue;
    const master = byIndex.get(device.masterIfindex);
    const bridge = device.slaveKind === 'bridge' && master ? master : null;
    const owner = (bridge ?? device).ifindex;
    const source = (family: 4 | 6): Uint8Array => {
      const address = sources[family].get(owner) ?? fallback[family];
      return address === '' ? new Uint8Array(16) : addressOctets(address);
    };
    rows.set(device.ifindex, {
      sourceV4: source(4),
      sourceV6: source(6),
      mac: macOctets((bridge ?? device).mac),
      l2Length: device.type === ARPHRD_ETHER ? ETHERNET_OCTETS : 0,
      flags: isHostPort(device) ? hostPortFlag(device) : deviceFlags(bridge, options.podDevice(device, master)),
    });
  }
  return rows;
}

const hostPortFlag = ({ name }: NetlinkDevice): number =>
  name === DATAPATH_END ? DeviceFlag.LB_DEVICE_HOST : DeviceFlag.LB_DEVICE_HOST_END;

const deviceFlags = (bridge: NetlinkDevice | null, isPod: boolean): number =>
  (bridge ? DeviceFlag.LB_DEVICE_BRIDGE_PORT : 0) | (isPod ? DeviceFlag.LB_DEVICE_POD : 0);

export function macOctets(mac: string): Uint8Array {
  const octets = new Uint8Array(6);
  for (const [i, part] of mac.split(':').slice(0, 6).entries()) octets[i] = Number.parseInt(part, 16) || 0;
  return octets;
}
