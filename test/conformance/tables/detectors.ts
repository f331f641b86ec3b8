// Files about local detectors: how packets of this node's pods are told from others.
import { datapathConfig } from '../../../src/backend/ebpf/datapath-config.ts';
import { deviceRows, podDeviceOf } from '../../../src/backend/ebpf/device-rows.ts';
import type { Config } from '../../../src/config/config.ts';
import { loadConfig } from '../../../src/config/load-config.ts';
import { addressOctets } from '../../../src/datapath/address.ts';
import { Detector, DeviceFlag } from '../../../src/datapath/layout.gen.ts';
import type { NetlinkDevice } from '../../../src/native/addon.ts';
import { ipFamilyOf, parseCidr } from '../../../src/state/ip.ts';
import type { IpFamily, Node } from '../../../src/state/model.ts';
import { compare, compareFields } from './compare.ts';
import { read } from './objects.ts';
import type { Json, TableCase } from './table-file.ts';

const FAMILIES = ['IPv4', 'IPv6'] as const;
const ETHERNET: Omit<NetlinkDevice, 'name'> = {
  ifindex: 7,
  kind: 'veth',
  slaveKind: '',
  type: 1, // ARPHRD_ETHER
  mac: '02:00:00:00:00:07',
  mtu: 1500,
  flags: 0,
  masterIfindex: 0,
  linkIfindex: 0,
};

/** The settings put past the loader's own check: a mode that it refuses is to detect nothing all the same. */
function configOf({ detectLocalMode, clusterCIDR = '', detectLocal = {} }: Json): Config {
  const { config } = loadConfig({ flags: new Map(), file: null, hostname: 'node' });
  return {
    ...config,
    detectLocalMode,
    clusterCIDRs: clusterCIDR === '' ? [] : clusterCIDR.split(','),
    podBridgeInterface: detectLocal.bridgeInterface ?? '',
    podInterfaceNamePrefix: detectLocal.interfaceNamePrefix ?? '',
  };
}

/** What the programs are told of a family. */
function detectorOf(config: Config, podCIDRs: readonly string[], family: IpFamily) {
  const { detectorV4, podCidrV4, podMaskV4, detectorV6, podCidrV6, podMaskV6 } = datapathConfig(config, podCIDRs, 0n);
  return family === 'IPv4'
    ? { kind: detectorV4, network: podCidrV4, mask: podMaskV4 }
    : { kind: detectorV6, network: podCidrV6, mask: podMaskV6 };
}

/** Whether the device's row says that what comes from it comes from a pod. */
function isPodDevice(config: Config, name: string): boolean {
  const device: NetlinkDevice = { ...ETHERNET, name };
  const row = deviceRows([device], [], { include: [], exclude: [], podDevice: podDeviceOf(config) }).get(device.ifindex);
  return ((row?.flags ?? 0) & DeviceFlag.LB_DEVICE_POD) !== 0;
}

/** In the words of the table; a device detector by what it takes for a pod's device. */
function inWords(config: Config, podCIDRs: readonly string[], family: IpFamily, expected: Json): Json {
  const { kind, network, mask } = detectorOf(config, podCIDRs, family);
  if (kind === Detector.LB_DETECTOR_NONE) return { kind: 'none' };
  if (kind === Detector.LB_DETECTOR_CIDR) {
    const cidr = parseCidr(expected.cidr ?? '');
    const isSame = cidr?.network.join() === network.join() && cidr.mask.join() === mask.join();
    return { kind: 'cidr', cidr: isSame ? expected.cidr : `${network.join()} mask ${mask.join()}` };
  }
  const name = expected.name ?? expected.prefix ?? '';
  if (!isPodDevice(config, name) || isPodDevice(config, `x${name}`)) return { kind: 'device', name: 'another one' };
  return isPodDevice(config, `${name}1`) ? { kind: 'interfacePrefix', prefix: name } : { kind: 'bridge', name };
}

export function localDetectors({ config, nodePodCIDRs = [], expect }: TableCase): string[] {
  return FAMILIES.flatMap((family) => {
    const expected = expect.detectors[family];
    return compare(family, inWords(configOf(config), nodePodCIDRs, family, expected), expected);
  });
}

/** null: without a detector nobody asks. */
export function localDetectorMatch({ detector, packet, expect }: TableCase): string[] {
  const MODES: Json = {
    cidr: 'ClusterCIDR',
    none: 'ClusterCIDR',
    bridge: 'BridgeInterface',
    interfacePrefix: 'InterfaceNamePrefix',
  };
  const config = configOf({
    detectLocalMode: MODES[detector.kind],
    clusterCIDR: detector.cidr,
    detectLocal: { bridgeInterface: detector.name, interfaceNamePrefix: detector.prefix },
  });
  return compareFields(expect, { local: () => isLocal(config, packet) });
}

function isLocal(config: Config, { sourceIP, inputInterface = '' }: Json): boolean | null {
  const { kind, network, mask } = detectorOf(config, [], sourceIP === undefined ? 'IPv4' : ipFamilyOf(sourceIP));
  if (kind === Detector.LB_DETECTOR_NONE) return null;
  if (kind === Detector.LB_DETECTOR_DEVICE) return isPodDevice(config, inputInterface);
  // As bpf/lookup.h does.
  return addressOctets(sourceIP).every((octet, i) => (octet & (mask[i] ?? 0)) === network[i]);
}

/** The Node's CIDRs are read when a detector depends on them: in mode NodeCIDR. */
export function podCidrSource({ config, nodePodCIDRs = [], expect }: TableCase): string[] {
  const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'node' }, spec: { podCIDRs: nodePodCIDRs } };
  const { podCIDRs } = read(node) as Node;
  const settings = (cidrs: readonly string[]): string =>
    JSON.stringify(FAMILIES.map((family) => detectorOf(configOf(config), cidrs, family)));
  const isRead = settings(podCIDRs) !== settings([]);
  return compare('podCIDRs', isRead ? podCIDRs : [], expect.podCIDRs ?? []);
}
