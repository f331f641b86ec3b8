// Gathers what the checks look at. Nothing is changed; a tool or a file that is missing makes its fact unknown, never an error.
import { existsSync, globSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../../../config/config.ts';
import { addressText } from '../../../datapath/address.ts';
import { viewOf } from '../../../datapath/bytes.ts';
import { FrontendFlag } from '../../../datapath/layout.gen.ts';
import { BpfLink } from '../../../native/bpf-link.ts';
import { Netlink } from '../../../native/netlink.ts';
import { hostPort, ipFamilyOf } from '../../../state/ip.ts';
import { findBlindSpots } from '../blind-spots.ts';
import { readCounters } from '../counters.ts';
import { isHooked } from '../device-rows.ts';
import { uplinks } from '../explain/node-routes.ts';
import { numberOf, readRunningPrograms } from '../explain/running-programs.ts';
import { clsactDevices, SOCKET_PROGRAMS } from '../hooks.ts';
import { countFlows } from '../live-flows.ts';
import { folderInForce, openTables, type PinnedTables, type Tables } from '../pinned-tables.ts';
import { mountPoints, type PinFolder, pinNames } from '../pins.ts';
import { protocolName } from '../rows.ts';
import { isCanary, SERVICE_TABLES } from '../service-directory.ts';
import { ServiceTables } from '../service-tables.ts';
import type { DoctorFacts, HookFact, PortRange, ServiceFact } from './facts.ts';
import { forwardChains, nftForwardDrops, xdpDevices } from './gather-network.ts';

export interface GatherOptions {
  readonly config: Config;
  readonly process: DoctorFacts['process'];
  readonly ownVersion: string;
  readonly betweenLooksMs: number; // counters are looked at twice
}

const HEALTHZ_MS = 2000;

export async function gatherFacts(options: GatherOptions): Promise<DoctorFacts> {
  const { config, process, ownVersion, betweenLooksMs } = options;
  const folder = folderInForce(config.ebpf.bpffsRoot);
  const tables = folder ? openTables(folder, [...SERVICE_TABLES, 'devices', 'flow_states', 'counters']) : null;
  try {
    const before = tables ? refusalsOf(tables) : {};
    const second = new Promise((resolve) => setTimeout(resolve, betweenLooksMs));
    const devices = Netlink.listDevices();
    const outward = [...(await uplinks())];
    const hooks = folder ? hookFacts(folder) : [];
    const others = await Promise.all([
      healthzOf(config),
      forwardChains(),
      nftForwardDrops(),
      xdpDevices(),
      findBlindSpots().catch(() => []),
    ]);
    const [healthz, forward, nftDrops, xdp, blindSpots] = others;
    await second;
    const after = tables ? refusalsOf(tables) : {};
    return {
      ...{ process, ownVersion, healthz, pinFolder: folder?.path ?? '', devices, hooks, forward, xdp, blindSpots },
      eligible: new Set(
        devices
          .filter((device) => device.flags & UP && isHooked(device, { include: [], exclude: [] }))
          .map(({ ifindex }) => ifindex),
      ),
      wanted: new Set(
        tables
          ?.map('devices')
          .keys()
          .map((key) => viewOf(key).getUint32(0, true)) ?? [],
      ),
      clsact: clsactDevices(),
      socketPath: socketFacts(config, folder),
      services: tables ? serviceFacts(tables) : [],
      tables: tables ? tableFacts(tables) : [],
      refusals: Object.entries(after).map(([name, count]) => ({ name, before: before[name] ?? 0, after: count })),
      flows: tables ? countFlows(tables.map('flow_states')) : { all: 0, unreplied: 0 },
      snatPorts: folder ? snatPortsOf(folder) : null,
      localPorts: rangesIn(readSysctl('net.ipv4.ip_local_port_range')?.trim().split(/\s+/).join('-') ?? '')[0] ?? null,
      reservedPorts: rangesIn(readSysctl('net.ipv4.ip_local_reserved_ports') ?? ''),
      conntrack: conntrackFacts(),
      sysctls: sysctlFacts(devices.map(({ name }) => name)),
      uplinks: outward,
      nftForwardDrops: nftDrops,
      hasConntrackCalls: readOrNull('/proc/kallsyms')?.includes(' bpf_skb_ct_lookup') ?? null,
    };
  } finally {
    tables?.close();
  }
}

const UP = 1; // IFF_UP

function refusalsOf(tables: PinnedTables): Record<string, number> {
  return readCounters(tables.map('counters')).drops;
}

function hookFacts(folder: PinFolder): HookFact[] {
  return pinNames(folder.links).flatMap((pin) => {
    const [kind = '', ifindex = '', direction = ''] = pin.split('_');
    if (kind !== 'tc') return [];
    return [{ pin, ifindex: Number(ifindex), direction, isDetached: linkInfo(folder, pin).ifindex === 0 }];
  });
}

function linkInfo(folder: PinFolder, pin: string): { readonly ifindex: number; readonly cgroupId: bigint } {
  const link = BpfLink.openPinned(join(folder.links, pin));
  try {
    return link.info();
  } finally {
    link.close();
  }
}

function socketFacts(config: Config, folder: PinFolder | null): DoctorFacts['socketPath'] {
  const pins = new Map(
    (folder ? pinNames(folder.links) : []).flatMap((pin) => (pin.startsWith('cgroup_') ? [[pin.slice(7), pin] as const] : [])),
  );
  const ids = new Map(folder ? [...pins].map(([name, pin]) => [name, linkInfo(folder, pin).cgroupId] as const) : []);
  const live = SOCKET_PROGRAMS.filter((name) => (ids.get(name) ?? 0n) !== 0n);
  const root = config.ebpf.cgroupRoot || mountPoints('cgroup2')[0] || '';
  const isThere = root !== '' && existsSync(root);
  return {
    ...{ mode: config.ebpf.socketPath.mode, live, root },
    missing: SOCKET_PROGRAMS.filter((name) => !live.includes(name)),
    cgroupId: String(ids.get('connect4') ?? ''),
    rootId: isThere ? String(statSync(root, { bigint: true }).ino) : '',
    rootProcesses: isThere ? processesIn(root) : null,
    isNested: config.ebpf.cgroupRoot === '' && namespaceOf('self') !== namespaceOf('1'),
  };
}

const namespaceOf = (pid: string): string => {
  try {
    return readlinkSync(`/proc/${pid}/ns/cgroup`);
  } catch {
    return '';
  }
};

/** In the cgroup and below; it is enough to know whether there is one. */
function processesIn(root: string): number {
  for (const path of [
    join(root, 'cgroup.procs'),
    ...globSync('**/cgroup.procs', { cwd: root }).map((name) => join(root, name)),
  ]) {
    const count = (readOrNull(path) ?? '').split('\n').filter(Boolean).length;
    if (count > 0) return count;
  }
  return 0;
}

/** A frontend each. */
export function serviceFacts(pinned: Tables): ServiceFact[] {
  const tables = ServiceTables.of(pinned);
  const names = tables.names();
  return [...tables.frontends()].flatMap(({ frontendKey, frontend }): ServiceFact[] => {
    const name = names.get(frontend.serviceId);
    if (name && isCanary({ namespace: name.namespaceName })) return []; // it has families that the cluster has not
    const has = (flag: number): boolean => (frontend.flags & flag) !== 0;
    const kind = has(FrontendFlag.LB_FRONTEND_NODE_PORT)
      ? 'NodePort'
      : has(FrontendFlag.LB_FRONTEND_EXTERNAL)
        ? 'ExternalIP'
        : 'ClusterIP';
    const address = addressText(frontendKey.address);
    const at = kind === 'NodePort' ? `node port ${frontendKey.port}` : hostPort(address, frontendKey.port);
    return [
      {
        service: name ? `${name.namespaceName}/${name.name}` : `?/id ${frontend.serviceId}`,
        port: `${name?.portName ?? ''} ${at}/${protocolName(frontendKey.protocol) ?? frontendKey.protocol}`.trim(),
        ...{ kind, portNumber: frontendKey.port, family: ipFamilyOf(address) },
        hasEndpoints: has(FrontendFlag.LB_FRONTEND_HAS_ENDPOINTS),
        isLocalPolicy: has(FrontendFlag.LB_FRONTEND_LOCAL_ONLY),
        localEndpoints: frontend.local.count,
        clusterEndpoints: frontend.cluster.count,
      },
    ];
  });
}

function tableFacts(tables: PinnedTables): DoctorFacts['tables'] {
  const [frontends, states] = [tables.map('frontends'), tables.map('flow_states')];
  return [
    { name: 'flow_states', used: countFlows(states).all, size: states.maxEntries },
    { name: 'frontends', used: frontends.keys().length, size: frontends.maxEntries },
  ];
}

function snatPortsOf(folder: PinFolder): PortRange | null {
  try {
    const { variables } = readRunningPrograms(folder);
    return { first: numberOf(variables, 'cfg_snat_port_min'), last: numberOf(variables, 'cfg_snat_port_max') };
  } catch {
    return null; // nothing is attached, or it is another version's
  }
}

async function healthzOf(config: Config): Promise<DoctorFacts['healthz']> {
  const [, host = '', port = ''] = /^\[?(.*?)\]?:(\d+)$/.exec(config.healthzBindAddress) ?? [];
  if (port === '') return null;
  const own = host === '' || host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '[::1]' : host.includes(':') ? `[${host}]` : host;
  const url = `http://${own}:${port}/healthz`;
  try {
    return { url, status: (await fetch(url, { signal: AbortSignal.timeout(HEALTHZ_MS) })).status };
  } catch {
    return { url, status: 0 };
  }
}

function conntrackFacts(): DoctorFacts['conntrack'] {
  const [count, max] = ['count', 'max'].map((name) => readSysctl(`net.netfilter.nf_conntrack_${name}`));
  return count === null || count === undefined || max === null || max === undefined
    ? null
    : { count: Number(count), max: Number(max) };
}

function sysctlFacts(devices: readonly string[]): Map<string, string> {
  const names = ['net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding', 'net.core.bpf_jit_enable', 'net.ipv4.conf.all.rp_filter'];
  const own = devices.map((device) => `net.ipv4.conf.${device}.rp_filter`);
  return new Map(
    [...names, ...own].flatMap((name) => {
      const value = readSysctl(name);
      return value === null ? [] : [[name, value.trim()] as const];
    }),
  );
}

/** Dots of a device's own name are no separators: devices with dots are left out. */
const readSysctl = (name: string): string | null => readOrNull(`/proc/sys/${name.replaceAll('.', '/')}`);

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

/** '30000-32767,8080' */
function rangesIn(text: string): PortRange[] {
  return text.split(',').flatMap((part) => {
    const [first, last = first] = part.trim().split('-').map(Number);
    return first === undefined || last === undefined || !(first > 0) ? [] : [{ first, last }];
  });
}
