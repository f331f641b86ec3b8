// Looks for the blind spots of the datapath on this node. Reads only; a tool that is missing is a finding, not nothing.
import { existsSync, globSync, readFileSync } from 'node:fs';
import type { AttachedProgram, NetlinkDevice } from '../../native/addon.ts';
import { listTcxPrograms } from '../../native/attached-programs.ts';
import { Netlink } from '../../native/netlink.ts';
import { type BlindSpot, BlindSpots } from './blind-spot-kinds.ts';
import { destinationPorts, type FirewallRule, iptablesReader, nftReader } from './firewall-rules.ts';
import { runTool, toolLines } from './tool.ts';

const NODE_PORTS = { first: 30000, last: 32767 }; // the API server's default range
const CHILD_KINDS: ReadonlySet<string> = new Set(['macvlan', 'macvtap', 'ipvlan', 'ipvtap']);
const CNI_CONFIGURATIONS = '/etc/cni/net.d/*.{conf,conflist,json}';
const CNI_CHILD_TYPES = /"type"\s*:\s*"(macvlan|ipvlan|sriov|host-device)"/g;
/** What the kernel calls our programs (at most 15 characters). */
const OWN_PROGRAMS: ReadonlySet<string> = new Set(['tc_ingress', 'tc_egress', 'host_ingress', 'host_egress']);
/** Devices whose clsact filters are looked at: each is a process. */
const CLSACT_DEVICES_MAX = 32;
const DIRECTIONS = ['ingress', 'egress'] as const;

/** Adds what one rule of netfilter means. */
export function lookAtRule(rule: FirewallRule, hasUnseenBridge: boolean, spots: BlindSpots): void {
  const { place, table, chain, hook, text } = rule;
  const where = `${place}: ${text}`;
  if (chain === 'KUBE-SERVICES' || /^(ip6? )?kube-proxy$/.test(table)) return spots.add('kube_proxy', where);
  if (/^(KUBE|TURNOUT|CILIUM)-/.test(chain)) return; // kubelet's and our own
  if (/AWS, (primary ENI|CONNMARK)/.test(text) || chain.startsWith('AWS-CONNMARK-CHAIN')) return spots.add('aws_connmark', where);
  if (/--ctstate \S*DNAT|--ctorigdst(port)?\b|\bct (status|state) \S*dnat|\bct original (ip6? )?(daddr|proto-dst)/.test(text)) {
    spots.add('original_destination', where);
  }
  if (/--ctstate \S*INVALID.*-j (DROP|REJECT)|\bct state .*\binvalid\b.*\b(drop|reject)/.test(text) && hasUnseenBridge) {
    spots.add('invalid_drop', where);
  }
  const isInput = hook === 'input' || (hook === '' && /input/i.test(chain));
  const hits = destinationPorts(rule).some(
    // A range much wider than theirs is not about node ports.
    ({ first, last }) =>
      first <= NODE_PORTS.last && last >= NODE_PORTS.first && last - first <= NODE_PORTS.last - NODE_PORTS.first,
  );
  if (isInput && hits) spots.add('node_ports_in_input', where);
}

/** Adds what the devices of the node mean. */
export function lookAtDevices(devices: readonly NetlinkDevice[], spots: BlindSpots): void {
  for (const { name, kind, slaveKind } of devices) {
    if (CHILD_KINDS.has(kind)) spots.add('child_devices', `${kind} device ${name}`);
    if (slaveKind === 'vrf') spots.add('vrf', name);
    if (name === 'kube-ipvs0') spots.add('kube_proxy', `device ${name}`);
  }
}

/** Adds programs of others that run before or after ours on one device. */
export function lookAtPrograms(device: string, direction: string, programs: readonly AttachedProgram[], spots: BlindSpots): void {
  const own = programs.findIndex(({ name }) => OWN_PROGRAMS.has(name));
  for (const [i, { name, programId }] of programs.entries()) {
    if (OWN_PROGRAMS.has(name)) continue;
    const order = own < 0 ? '' : i < own ? ', before ours' : ', after ours';
    spots.add('foreign_programs', `${device} ${direction}: ${name || 'unnamed'} (tcx, program ${programId}${order})`);
  }
}

/** Adds what could not be looked at. nft shows the rules of iptables-nft too, but not as their authors wrote them. */
export function lookAtMissingTools(missing: ReadonlySet<string>, spots: BlindSpots): void {
  const isWithoutNft = missing.has('nft');
  for (const tool of missing) {
    if (tool === 'nft' || /^ip6?tables-legacy-save$/.test(tool))
      spots.add('not_looked_at', `rules of netfilter: ${tool} is missing`);
    if (/^ip6?tables-nft-save$/.test(tool) && isWithoutNft) spots.add('not_looked_at', `rules of netfilter: ${tool} is missing`);
    if (tool === 'tc') spots.add('not_looked_at', 'tc programs of others: tc is missing');
    if (tool === 'ip') spots.add('not_looked_at', 'IPsec policies: ip is missing');
  }
}

/** Everything that is found on this node now, by kind. Takes a few processes, so it belongs on a slow schedule. */
export async function findBlindSpots(): Promise<BlindSpot[]> {
  const spots = new BlindSpots();
  const devices = Netlink.listDevices();
  lookAtDevices(devices, spots);
  lookAtFiles(devices, spots);
  for (const { ifindex, name } of devices) {
    for (const direction of DIRECTIONS) lookAtPrograms(name, direction, listTcxPrograms(ifindex, direction), spots);
  }
  const missing = await lookAtRules(hasUnseenBridge(devices), spots);
  if (!(await lookAtClsact(spots))) missing.add('tc');
  const policies = await runTool('ip', ['-o', 'xfrm', 'policy']);
  if (policies.status < 0) missing.add('ip');
  lookAtMissingTools(missing, spots);
  for (const line of policies.stdout.split('\n')) {
    if (/\bdir (in|out|fwd)\b/.test(line)) spots.add('ipsec_policy', line.replace(/\\?\s+/g, ' ').trim());
  }
  return spots.list();
}

/** A bridge whose frames netfilter does not see. */
function hasUnseenBridge(devices: readonly NetlinkDevice[]): boolean {
  if (!devices.some(({ kind }) => kind === 'bridge')) return false;
  return firstLine('/proc/sys/net/bridge/bridge-nf-call-iptables') !== '1';
}

function lookAtFiles(devices: readonly NetlinkDevice[], spots: BlindSpots): void {
  for (const { name } of devices) {
    const functions = Number(firstLine(`/sys/class/net/${name}/device/sriov_numvfs`));
    if (functions > 0) spots.add('child_devices', `${name} has ${functions} SR-IOV functions`);
  }
  for (const path of globSync(CNI_CONFIGURATIONS)) {
    for (const [, type] of read(path).matchAll(CNI_CHILD_TYPES)) spots.add('child_devices', `${path} makes ${type} devices`);
  }
}

/** Answers with the tools that are missing. */
async function lookAtRules(isBridgeUnseen: boolean, spots: BlindSpots): Promise<Set<string>> {
  const missing = new Set<string>();
  const readWith = async (tool: string, args: readonly string[], onLine: (line: string) => void): Promise<void> => {
    if (!(await toolLines(tool, args, onLine))) missing.add(tool);
  };
  const look = (reader: (line: string) => FirewallRule | null) => (line: string) => {
    const rule = reader(line);
    if (rule) lookAtRule(rule, isBridgeUnseen, spots);
  };
  const known = new Set<string>(); // tables of iptables-nft, which nft shows too
  for (const [command, family] of [
    ['iptables', 'ip'],
    ['ip6tables', 'ip6'],
  ] as const) {
    const lookAt = look(iptablesReader(command));
    await readWith(`${command}-nft-save`, [], (line) => {
      if (line.startsWith('*')) known.add(`${family} ${line.slice(1).trim()}`);
      lookAt(line);
    });
    // Without legacy tables in use there is nothing to read, and asking might load their modules.
    if (firstLine(`/proc/self/net/${family}_tables_names`) === '') continue;
    await readWith(`${command}-legacy-save`, [], look(iptablesReader(`${command}-legacy`)));
  }
  await readWith('nft', ['--stateless', '--numeric', 'list', 'ruleset'], look(nftReader(known)));
  return missing;
}

/** Filters of clsact are not told by the call that tells of tcx: `tc` is asked about devices that have the qdisc. False: it is missing. */
async function lookAtClsact(spots: BlindSpots): Promise<boolean> {
  const { status, stdout } = await runTool('tc', ['-json', 'qdisc', 'show']);
  if (status < 0) return false;
  const having = parsed<{ kind?: string; dev?: string }>(stdout).filter(({ kind }) => kind === 'clsact');
  for (const { dev = '' } of having.slice(0, CLSACT_DEVICES_MAX)) {
    for (const direction of DIRECTIONS) {
      const filters = await runTool('tc', ['-json', 'filter', 'show', 'dev', dev, direction]);
      for (const { kind = '', options } of parsed<{ kind?: string; options?: { bpf_name?: string; prog?: { name?: string } } }>(
        filters.stdout,
      )) {
        if (!options) continue; // a line that only names the priority
        const name = options.prog?.name ?? options.bpf_name ?? kind;
        if (!OWN_PROGRAMS.has(name)) spots.add('foreign_programs', `${dev} ${direction}: ${name} (clsact)`);
      }
    }
  }
  return true;
}

function parsed<T>(json: string): T[] {
  try {
    return JSON.parse(json) as T[];
  } catch {
    return []; // the tool is missing, or does not know the option
  }
}

function read(path: string): string {
  try {
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  } catch {
    return '';
  }
}

const firstLine = (path: string): string => read(path).split('\n')[0]?.trim() ?? '';
