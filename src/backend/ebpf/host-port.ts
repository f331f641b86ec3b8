// The host's port: traffic of the node to Services that the socket path does not take (switched off, SCTP, sockets bound to a source
// or older than we, raw packets) is led over a veth pair of ours, and translated at its other end like a pod's. (design.md section 1)
import { existsSync } from 'node:fs';
import { addressOctets, addressText } from '../../datapath/address.ts';
import type { Logger } from '../../log.ts';
import type { NetlinkAddress } from '../../native/addon.ts';
import type { BpfMap } from '../../native/bpf-map.ts';
import { Netlink } from '../../native/netlink.ts';
import { ipFamilyOf } from '../../state/ip.ts';
import type { Changes, DesiredState, IpFamily } from '../../state/model.ts';
import { allocateAliases, isAlias } from './host-aliases.ts';
import { ensureDevices, portMtu, removeDevices } from './host-port-devices.ts';
import { type HostPortNeed, HostPortNeeds } from './host-port-needs.ts';
import {
  ADDRESS_TABLE,
  batchOf,
  isPortRule,
  type Lines,
  needLine,
  needNameOfLine,
  PORT_TABLE,
  readRoutes,
  readRules,
  standingLines,
} from './host-port-routes.ts';
import { keyBytes, keyText } from './service-tables.ts';
import { runTool } from './tool.ts';
import { hashTable, type VerifiedTable } from './verified-table.ts';

const OPTIONS: Readonly<Record<IpFamily, string>> = { IPv4: '-4', IPv6: '-6' };
/** The kernel walks rules one by one for each packet it looks up a route for; some nanoseconds each. */
const PORT_RULES_MAX = 256; // each family

export interface HostPortOptions {
  readonly aliases: BpfMap;
  readonly nodeIPs: () => readonly string[];
  readonly byConnect: boolean; // the socket path translates TCP and UDP of every process of the node
  /** Names of the needs (needName) that open connections still have. */
  readonly inUse: () => ReadonlySet<string>;
  readonly logger: Logger;
}

/** How long a rule stays that open connections need, until it is looked at again. */
const LOOK_AGAIN_MS = 30_000;

/** Families that this kernel has. */
function families(): IpFamily[] {
  return existsSync('/proc/self/net/if_inet6') ? ['IPv4', 'IPv6'] : ['IPv4'];
}

/**
 * Invariants: an address has its alias before packets can come with it, since aliases follow rtnetlink; what is in the kernel's tables
 * of ours is known (`#present`) or marked as not known (`#isUnsure`), and read again before the next change.
 */
export class HostPort {
  readonly #options: HostPortOptions;
  readonly #needs: HostPortNeeds;
  readonly #present = new Map<IpFamily, Lines>();
  readonly #told = new Set<string>();
  #aliases: ReadonlyMap<string, string>;
  #sources: Readonly<Record<IpFamily, string>> = { IPv4: '', IPv6: '' };
  #hasDevices = false;
  #isUnsure = true;
  #isSynced = false;
  #timer: NodeJS.Timeout | undefined;
  #queue: Promise<void> = Promise.resolve();

  constructor(options: HostPortOptions) {
    this.#options = options;
    this.#needs = new HostPortNeeds(options.byConnect);
    this.#aliases = readAliases(options.aliases);
  }

  /** Makes the devices; to be called before devices are looked at for hooks. Without them the node goes on as if switched off. */
  async start(): Promise<void> {
    const mtu = portMtu(Netlink.listDevices(), Netlink.listAddresses(), this.#options.nodeIPs());
    const reason = await ensureDevices(mtu);
    this.#hasDevices = reason === '';
    if (reason) {
      this.#tell('No port for traffic of the node: what the socket path does not take reaches no Service', { reason });
    }
  }

  /** The node's addresses as they are now. */
  addressesSeen(addresses: readonly NetlinkAddress[]): void {
    const { aliases, without } = allocateAliases(addresses, this.#aliases);
    if (without.length > 0) this.#tell('The node has more addresses than aliases', { without: without.length });
    this.#writeAliases(aliases);
    const nodeIPs = this.#options.nodeIPs();
    const local = new Set(addresses.map(({ address }) => address));
    const source = (family: IpFamily): string => nodeIPs.find((ip) => ipFamilyOf(ip) === family && local.has(ip)) ?? '';
    const sources = { IPv4: source('IPv4'), IPv6: source('IPv6') };
    const isChanged = sources.IPv4 !== this.#sources.IPv4 || sources.IPv6 !== this.#sources.IPv6;
    this.#sources = sources;
    if (!isChanged) return;
    // With an address the kernel takes the routes away that name it.
    this.#isUnsure = true;
    if (this.#isSynced) void this.#enqueue(() => this.#converge([]));
  }

  /** Routes and rules as the Services want them. A failure is told, and mended at the next full comparison. */
  sync(desired: DesiredState, changes: Changes): Promise<void> {
    return this.#enqueue(async () => {
      if (changes.full && this.#isSynced) await this.start(); // somebody may have removed them
      const touched = this.#needs.update(desired, changes);
      this.#isSynced = true;
      if (changes.full) this.#isUnsure = true;
      if (touched.length > 0 || this.#isUnsure) await this.#converge(touched);
    });
  }

  /** `host_aliases` as it should be: both ways. */
  get verified(): VerifiedTable {
    const octets = (address: string): string => keyText(addressOctets(address));
    return hashTable({
      map: this.#options.aliases,
      rows: () =>
        [...this.#aliases].flatMap(([address, alias]) => [
          { key: octets(address), value: addressOctets(alias) },
          { key: octets(alias), value: addressOctets(address) },
        ]),
      expected: (key) => {
        const text = addressText(keyBytes(key));
        const other = this.#aliases.get(text) ?? [...this.#aliases].find(([, alias]) => alias === text)?.[0];
        return other === undefined ? null : addressOctets(other);
      },
      describe: (key) => addressText(keyBytes(key)),
      show: addressText,
    });
  }

  /** When nothing is under way any more. */
  settled(): Promise<void> {
    return this.#queue;
  }

  #enqueue(work: () => Promise<void>): Promise<void> {
    const done = this.#queue.then(work);
    this.#queue = done.catch((error: unknown) => this.#options.logger.error('Host port: a change failed', { err: error }));
    return this.#queue;
  }

  async #converge(touched: readonly HostPortNeed[]): Promise<void> {
    if (!this.#hasDevices) return;
    const isAll = this.#isUnsure;
    this.#isUnsure = false;
    await Promise.all(families().map((family) => this.#convergeFamily(family, touched, isAll)));
  }

  async #convergeFamily(family: IpFamily, touched: readonly HostPortNeed[], isAll: boolean): Promise<void> {
    const source = this.#sources[family];
    const present = isAll ? await readPresent(family) : (this.#present.get(family) ?? new Map<string, string>());
    const needs = [...(isAll ? this.#needs : touched)].filter((need) => need.family === family);
    const wanted: Lines = isAll ? standingLines(family, source) : new Map();
    let portRules = isAll ? 0 : [...present.keys()].filter(isPortRule).length;
    const names = new Set([...(isAll ? present.keys() : []), ...wanted.keys()]);
    for (const need of needs) {
      const [name, line] = needLine(need, source);
      names.add(name);
      if (!this.#needs.wants(need)) continue;
      if (isPortRule(name) && (isAll || !present.has(name)) && ++portRules > PORT_RULES_MAX) {
        const text = 'Too many external addresses: the node reaches some Services by the socket path only';
        this.#tell(text, { family, most: PORT_RULES_MAX });
        continue;
      }
      wanted.set(name, line);
    }
    this.#keepWhatIsInUse(names, present, wanted);
    await this.#apply(family, names, present, wanted);
  }

  /** What nobody wants any more stays for as long as connections are led by it, which outlive their Service. */
  #keepWhatIsInUse(names: ReadonlySet<string>, present: Lines, wanted: Lines): void {
    const leaving = [...names].filter((name) => needNameOfLine(name) !== '' && present.has(name) && !wanted.has(name));
    if (leaving.length === 0) return;
    const inUse = this.#options.inUse();
    const kept = leaving.filter((name) => inUse.has(needNameOfLine(name)));
    for (const name of kept) wanted.set(name, present.get(name) ?? '');
    if (kept.length === 0 || this.#timer) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#isUnsure = true;
      void this.#enqueue(() => this.#converge([]));
    }, LOOK_AGAIN_MS).unref();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  async #apply(family: IpFamily, names: Iterable<string>, present: Lines, wanted: Lines): Promise<void> {
    const lines = batchOf(names, present, wanted);
    for (const name of names) {
      const line = wanted.get(name);
      if (line === undefined) present.delete(name);
      else present.set(name, line);
    }
    this.#present.set(family, present);
    if (lines.length === 0) return;
    const { status, stderr } = await runTool('ip', [OPTIONS[family], '-force', '-batch', '-'], `${lines.join('\n')}\n`);
    if (status === 0) return;
    this.#isUnsure = true;
    this.#tell('Routes of the host port could not all be set', { family, stderr: stderr.trim().slice(0, 500) });
  }

  #writeAliases(aliases: ReadonlyMap<string, string>): void {
    const map = this.#options.aliases;
    for (const [address, alias] of this.#aliases) {
      if (aliases.get(address) === alias) continue;
      map.delete(addressOctets(address));
      map.delete(addressOctets(alias));
    }
    for (const [address, alias] of aliases) {
      if (this.#aliases.get(address) === alias) continue;
      map.set(addressOctets(address), addressOctets(alias));
      map.set(addressOctets(alias), addressOctets(address));
    }
    this.#aliases = aliases;
  }

  /** Once for each text: full comparisons would say it again and again. */
  #tell(text: string, values: Readonly<Record<string, unknown>>): void {
    if (this.#told.has(text)) return;
    this.#told.add(text);
    this.#options.logger.warn(text, values);
  }
}

/** What an earlier process gave; its flows live on. */
function readAliases(map: BpfMap): Map<string, string> {
  const aliases = new Map<string, string>();
  for (const key of map.keys()) {
    const [address, value] = [addressText(key), map.get(key)];
    if (value && !isAlias(address)) aliases.set(address, addressText(value));
  }
  return aliases;
}

async function readPresent(family: IpFamily): Promise<Lines> {
  const show = (...words: string[]) => runTool('ip', [OPTIONS[family], '-json', ...words]);
  const [rules, addresses, ports] = await Promise.all([
    show('rule', 'show'),
    show('route', 'show', 'table', String(ADDRESS_TABLE)),
    show('route', 'show', 'table', String(PORT_TABLE)),
  ]);
  return new Map([
    ...readRules(rules.stdout),
    ...readRoutes(addresses.stdout, ADDRESS_TABLE),
    ...readRoutes(ports.stdout, PORT_TABLE),
  ]);
}

/** Removes rules, routes and devices; what is not there is no fault. Rules first: then nothing is led into the void. */
export async function removeHostPort(): Promise<void> {
  for (const family of families()) {
    const present = await readPresent(family);
    const lines = batchOf(present.keys(), present, new Map());
    if (lines.length > 0) await runTool('ip', [OPTIONS[family], '-force', '-batch', '-'], `${lines.join('\n')}\n`);
  }
  await removeDevices();
}
