// What `turnout status` and `turnout services` show, read from the pinned maps and links alone: with and without a running process.
import { join } from 'node:path';
import type { ServiceRow } from '../../cli/services-table.ts';
import type { StatusHook, StatusReport } from '../../cli/status-table.ts';
import { addressText, endpointText } from '../../datapath/address.ts';
import { type Frontend, FrontendFlag } from '../../datapath/layout.gen.ts';
import { BpfLink } from '../../native/bpf-link.ts';
import { Netlink } from '../../native/netlink.ts';
import { readCounters } from './counters.ts';
import { clsactDevices, SOCKET_PROGRAMS } from './hooks.ts';
import { countFlows } from './live-flows.ts';
import { folderInForce, withTables } from './pinned-tables.ts';
import { type PinFolder, pinNames } from './pins.ts';
import { protocolName } from './rows.ts';
import { isCanary } from './service-directory.ts';
import { ServiceTables } from './service-tables.ts';
import { TRAFFIC_TABLES, TrafficTotals } from './traffic-totals.ts';

/** The part of `turnout status` that the pinned maps and links know. */
export type DatapathView = Omit<StatusReport, 'version' | 'proxyMode' | 'process'>;

const NOTHING: DatapathView = { pinFolder: '', hooks: [], tables: [], drops: {}, events: {}, warnings: [] };

export function viewDatapath(bpffsRoot: string): DatapathView {
  const folder = folderInForce(bpffsRoot);
  if (!folder) return NOTHING;
  return withTables(folder, ['counters', 'flow_states', 'frontends'], (opened) => {
    const [flowStates, frontends] = [opened.map('flow_states'), opened.map('frontends')];
    const { hooks, warnings } = viewHooks(folder);
    const tables = [
      { name: 'flow_states', used: countFlows(flowStates).all, size: flowStates.maxEntries },
      { name: 'frontends', used: frontends.keys().length, size: frontends.maxEntries },
    ];
    return { pinFolder: folder.path, hooks, tables, ...readCounters(opened.map('counters')), warnings };
  });
}

/** A pinned link whose device or cgroup is gone, or that somebody detached, is a warning. */
function viewHooks(folder: PinFolder): { hooks: StatusHook[]; warnings: string[] } {
  const names = new Map(Netlink.listDevices().map((device) => [device.ifindex, device.name]));
  const hooks = new Map<string, { place: string; attach: string; programs: string[] }>();
  const warnings: string[] = [];
  for (const pin of pinNames(folder.links).sort()) {
    const [kind = '', first = '', second = ''] = pin.split('_');
    const link = BpfLink.openPinned(join(folder.links, pin));
    const { ifindex, cgroupId } = link.info();
    link.close();
    const isDetached = kind === 'tc' ? ifindex === 0 : cgroupId === 0n;
    const place = kind === 'tc' ? (names.get(Number(first)) ?? `ifindex ${first}`) : `cgroup ${cgroupId}`;
    if (isDetached) {
      warnings.push(`${pin}: the link is detached; a running turnout attaches it again within seconds`);
      continue;
    }
    const hook = hooks.get(place) ?? { place, attach: kind === 'tc' ? 'tcx' : 'cgroup', programs: [] };
    hook.programs.push(kind === 'tc' ? second : pin.slice('cgroup_'.length));
    hooks.set(place, hook);
  }
  // Where the kernel has no tcx (before 6.6), filters of clsact do its work; nothing of them is pinned.
  for (const [ifindex, programs] of clsactDevices()) {
    const place = names.get(ifindex) ?? `ifindex ${ifindex}`;
    if (!hooks.has(place)) hooks.set(place, { place, attach: 'clsact', programs });
  }
  for (const hook of hooks.values()) {
    if (hook.attach === 'cgroup' && hook.programs.length < SOCKET_PROGRAMS.length)
      warnings.push(`${hook.place}: some socket hooks are missing`);
  }
  return { hooks: [...hooks.values()], warnings };
}

/** A row for each frontend. */
export function viewServices(bpffsRoot: string): ServiceRow[] {
  const folder = folderInForce(bpffsRoot);
  if (!folder) return [];
  return withTables(folder, TRAFFIC_TABLES, (opened) => {
    const traffic = new Map(new TrafficTotals().read(opened).services.map((one) => [one.service.id, one.traffic]));
    const tables = ServiceTables.of(opened);
    const serviceNamesById = tables.names();
    const shown = [...tables.frontends()].filter(
      ({ frontend }) => !isCanary({ namespace: serviceNamesById.get(frontend.serviceId)?.namespaceName ?? '?' }),
    );
    return shown.map(({ frontendKey, frontend }) => {
      const name = serviceNamesById.get(frontend.serviceId);
      const counts = traffic.get(frontend.serviceId);
      return {
        namespace: name?.namespaceName ?? '?',
        name: name?.name ?? `id ${frontend.serviceId}`,
        portName: name?.portName ?? '',
        type: typeOf(frontend),
        address: frontend.flags & FrontendFlag.LB_FRONTEND_NODE_PORT ? '*' : addressText(frontendKey.address),
        port: frontendKey.port,
        protocol: protocolName(frontendKey.protocol) ?? 'TCP',
        endpoints: endpointsOf(tables, frontend),
        connections: counts?.connections ?? null,
        active: counts?.active ?? null,
        rejects: counts?.rejects ?? null,
        drops: counts?.drops ?? null,
        packets: counts ? counts.requestPackets + counts.replyPackets : null,
        bytes: counts ? counts.requestBytes + counts.replyBytes : null,
      };
    });
  });
}

function typeOf({ flags }: Frontend): ServiceRow['type'] {
  if (flags & FrontendFlag.LB_FRONTEND_NODE_PORT) return 'NodePort';
  return flags & FrontendFlag.LB_FRONTEND_EXTERNAL ? 'ExternalIP' : 'ClusterIP';
}

function endpointsOf(tables: ServiceTables, { cluster }: Frontend): string[] {
  return Array.from({ length: cluster.count }, (_, i) => endpointText(tables.readBackend(cluster.base + i)));
}
