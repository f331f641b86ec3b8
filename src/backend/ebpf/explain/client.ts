// Who sends, and by which device its packets come to the hooks.
import type { ExplainQuestion } from '../../../cli/explain-report.ts';
import { u32Bytes } from '../../../datapath/bytes.ts';
import { type Device, DeviceFlag, readDevice } from '../../../datapath/layout.gen.ts';
import { TurnoutError } from '../../../errors.ts';
import type { NetlinkDevice } from '../../../native/addon.ts';
import { Netlink } from '../../../native/netlink.ts';
import { DATAPATH_END, HOST_END } from '../host-port-routes.ts';
import type { PinnedTables } from '../pinned-tables.ts';
import { type ClientKind, hasDetector, isDetectedAsPod } from './matched-rule.ts';
import { hookedDevice, type Route, routeTo, uplinks } from './node-routes.ts';

/** A device that has hooks, and its row. */
export interface HookedDevice {
  readonly ifindex: number;
  readonly name: string;
  readonly stackName: string; // by which the stack knows it: the bridge of a port
  readonly mac: Uint8Array; // whom frames are sent to that the datapath takes for its own
}

export interface Client {
  readonly kind: ClientKind; // as the local detector sees it
  readonly isLocal: boolean; // its processes run on this node, so the socket path may have them
  readonly source: string; // of its packets; '' : not known, and nothing to ask of packets
  readonly text: string;
  /** Where its packets meet tc_ingress. Null: nowhere; `unseen` says why. */
  readonly entry: HookedDevice | null;
  /** The node's own end of the host's port, where its packets get an alias first. */
  readonly hostEnd: HookedDevice | null;
  readonly unseen: string;
  readonly notes: readonly string[];
}

type Facts = { readonly tables: PinnedTables; readonly variables: ReadonlyMap<string, Uint8Array> };

const NONE = { entry: null, hostEnd: null, unseen: '', notes: [] } as const;

export async function clientOf(question: ExplainQuestion, facts: Facts): Promise<Client> {
  const devices = Netlink.listDevices();
  const own = new Set(Netlink.listAddresses().map(({ address }) => address));
  if (question.source === 'node' || (own.has(question.source) && question.device === ''))
    return nodeClient(question, facts, devices);
  return otherClient(question, facts, devices);
}

/** A process of the node: by connect(), or by the host's port, or not at all. */
async function nodeClient(question: ExplainQuestion, facts: Facts, devices: readonly NetlinkDevice[]): Promise<Client> {
  const { source, destination, protocol, port } = question;
  const bound = source === 'node' ? {} : { from: source };
  const text =
    source === 'node' ? 'a process in the network namespace of the node' : `a process of the node that is bound to ${source}`;
  const client = { ...NONE, kind: 'node' as const, isLocal: true, source: '', text };
  const route = await routeTo({ to: destination, ...bound, protocol, port });
  if ('refusal' in route) return { ...client, unseen: `The node has no route to ${destination}: ${route.refusal}.` };
  const from = source === 'node' ? route.source : source;
  if (route.isLocal) return { ...client, source: from, unseen: 'A packet of the node to an address of its own meets no device.' };
  if (route.device !== HOST_END) {
    return {
      ...client,
      source: from,
      unseen: `The node's packets leave by ${route.device} and come in nowhere: no hook chooses an endpoint.`,
    };
  }
  const [entry, hostEnd] = [DATAPATH_END, HOST_END].map((name) =>
    hooked(
      devices.find((device) => device.name === name),
      devices,
      facts.tables,
    ),
  );
  if (!entry || !hostEnd) return { ...client, source: from, unseen: `${HOST_END} or ${DATAPATH_END} has no hooks.` };
  return { ...client, source: from, entry, hostEnd };
}

async function otherClient(question: ExplainQuestion, facts: Facts, devices: readonly NetlinkDevice[]): Promise<Client> {
  const { source } = question;
  const route = await routeBack(question);
  const { device, isKnown } = await hookedDevice(route.device, route.gateway || source, devices);
  if (!device) {
    throw new TurnoutError('ENODEVICE', `there is no device ${route.device} in this network namespace`, {
      hint: '`ip link` lists the devices; a node is a network namespace',
    });
  }
  const notes = isKnown
    ? []
    : [`Behind which port of ${route.device} ${source} is was not seen yet; ${device.name} stands for it.`];
  const row = deviceRow(device, facts.tables);
  const isPodDevice = row !== null && (row.flags & DeviceFlag.LB_DEVICE_POD) !== 0;
  const isPod = isDetectedAsPod(facts.variables, source, isPodDevice);
  const isLocal = isOnThisNode(device, route, await uplinks(), hasDetector(facts.variables, source) ? isPod : null);
  const where = `behind ${device.name}`;
  const text = isLocal
    ? `a pod of this node, ${where}`
    : isPod
      ? `a pod of another node, ${where}`
      : `outside of this node's pods, ${where}`;
  const client = { ...NONE, kind: isPod ? ('pod' as const) : ('external' as const), isLocal, source, text, notes };
  const entry = hooked(device, devices, facts.tables);
  if (entry) return { ...client, entry };
  const unseen = `No program is attached to ${device.name}: what comes in there is not translated (--ebpf-devices-exclude, or a kind of device that is left alone).`;
  return { ...client, unseen };
}

/** The device that --device names, or where the route to the source leads: strict rp_filter lets nothing in elsewhere. */
async function routeBack({ source, device }: ExplainQuestion): Promise<Route> {
  const route = await routeTo({ to: source });
  if (device !== '') return { device, gateway: 'refusal' in route ? '' : route.gateway, source: '', isLocal: false };
  if (!('refusal' in route)) return route;
  throw new TurnoutError(
    'ENOROUTE',
    `by which device ${source} comes in is not known: the node has no route to it (${route.refusal})`,
    {
      hint: 'name the device with --device=NAME',
    },
  );
}

/** isPod: by the local detector; null where there is none, so that only the device tells. */
function isOnThisNode(device: NetlinkDevice, route: Route, outward: ReadonlySet<string>, isPod: boolean | null): boolean {
  if (route.gateway !== '' || outward.has(device.name) || outward.has(route.device)) return false;
  return isPod ?? ['veth', 'netkit'].includes(device.kind);
}

function deviceRow(device: NetlinkDevice, tables: PinnedTables): Device | null {
  const value = tables.map('devices').get(u32Bytes(device.ifindex));
  return value ? readDevice(value) : null;
}

export function hooked(
  device: NetlinkDevice | undefined | null,
  devices: readonly NetlinkDevice[],
  tables: PinnedTables,
): HookedDevice | null {
  const row = device ? deviceRow(device, tables) : null;
  if (!device || !row) return null;
  const master =
    row.flags & DeviceFlag.LB_DEVICE_BRIDGE_PORT ? devices.find(({ ifindex }) => ifindex === device.masterIfindex) : null;
  return { ifindex: device.ifindex, name: device.name, stackName: (master ?? device).name, mac: row.mac };
}
