// Where the node's routes lead, by asking the kernel through `ip`: looking a route up changes nothing.
import type { NetlinkDevice } from '../../../native/addon.ts';
import { ipFamilyOf } from '../../../state/ip.ts';
import type { IpFamily, Protocol } from '../../../state/model.ts';
import { runTool } from '../tool.ts';

export interface Route {
  readonly device: string;
  readonly gateway: string; // '' : on the link
  readonly source: string; // the preferred one; ''
  readonly isLocal: boolean; // delivered on this node
}

/** A route, or why there is none, in the kernel's words. */
export type RouteAnswer = Route | { readonly refusal: string };

interface JsonRoute {
  readonly type?: string;
  readonly dev?: string;
  readonly gateway?: string;
  readonly via?: { readonly host?: string };
  readonly prefsrc?: string;
}

export interface RouteQuestion {
  readonly to: string;
  readonly from?: string;
  readonly enters?: string; // device it came in by
  readonly mark?: number;
  readonly protocol?: Protocol;
  readonly port?: number;
}

const familyOption = (family: IpFamily): string => (family === 'IPv4' ? '-4' : '-6');

export async function routeTo({ to, from, enters, mark, protocol, port }: RouteQuestion): Promise<RouteAnswer> {
  const words = [familyOption(ipFamilyOf(to)), '-json', 'route', 'get', to];
  if (from !== undefined) words.push('from', from);
  if (enters !== undefined) words.push('iif', enters);
  if (mark !== undefined && mark !== 0) words.push('mark', String(mark));
  // Only of these can a route be asked for; SCTP is then routed as what no rule names.
  if (protocol === 'TCP' || protocol === 'UDP') words.push('ipproto', protocol.toLowerCase(), 'dport', String(port ?? 0));
  const { status, stdout, stderr } = await runTool('ip', words);
  if (status !== 0) return { refusal: stderr.trim().replace(/^RTNETLINK answers: /, '') || 'the command ip is missing' };
  const [route] = JSON.parse(stdout) as JsonRoute[];
  if (!route?.dev) return { refusal: 'no route' };
  const isLocal = route.type === 'local';
  return { device: route.dev, gateway: route.gateway ?? route.via?.host ?? '', source: route.prefsrc ?? '', isLocal };
}

/**
 * The device whose hooks see packets of `neighbour` on `device`: the device itself, or the port of the bridge behind which the
 * neighbour was seen. isKnown: false when the bridge has not seen it and another port stands for it.
 */
export async function hookedDevice(
  device: string,
  neighbour: string,
  devices: readonly NetlinkDevice[],
): Promise<{ readonly device: NetlinkDevice | null; readonly isKnown: boolean }> {
  const found = devices.find(({ name }) => name === device) ?? null;
  if (found?.kind !== 'bridge') return { device: found, isKnown: true };
  const ports = devices.filter(({ masterIfindex }) => masterIfindex === found.ifindex);
  const mac = await macOf(device, neighbour);
  const portName = mac === '' ? '' : await bridgePort(device, mac);
  const port = ports.find(({ name }) => name === portName);
  return { device: port ?? ports[0] ?? null, isKnown: port !== undefined };
}

async function macOf(device: string, neighbour: string): Promise<string> {
  const words = [familyOption(ipFamilyOf(neighbour)), '-json', 'neigh', 'show', neighbour, 'dev', device];
  const { status, stdout } = await runTool('ip', words);
  if (status !== 0 || stdout.trim() === '') return '';
  const [entry] = JSON.parse(stdout) as { lladdr?: string }[];
  return entry?.lladdr ?? '';
}

async function bridgePort(bridge: string, mac: string): Promise<string> {
  const { status, stdout } = await runTool('bridge', ['-json', 'fdb', 'show', 'br', bridge]);
  if (status !== 0 || stdout.trim() === '') return '';
  const entries = JSON.parse(stdout) as { mac?: string; ifname?: string; state?: string }[];
  return entries.find((entry) => entry.mac === mac && entry.ifname !== bridge && entry.state !== 'permanent')?.ifname ?? '';
}

/** Devices that a default route of either family leads to: what is behind them is not on this node. */
export async function uplinks(): Promise<ReadonlySet<string>> {
  const answers = await Promise.all(['-4', '-6'].map((family) => runTool('ip', [family, '-json', 'route', 'show', 'default'])));
  return new Set(
    answers.flatMap(({ status, stdout }) =>
      status === 0 && stdout.trim() !== '' ? (JSON.parse(stdout) as JsonRoute[]).flatMap(({ dev }) => dev ?? []) : [],
    ),
  );
}
