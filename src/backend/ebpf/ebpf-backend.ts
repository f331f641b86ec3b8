// Mode ebpf: puts the parts together, in the order in which the datapath is never worse than before.
import type { VerifyReport } from '../../cli/verify-table.ts';
import type { Config } from '../../config/config.ts';
import { loadObject, objectPath } from '../../datapath/object-file.ts';
import { reasonOf, TurnoutError } from '../../errors.ts';
import type { Logger } from '../../log.ts';
import type { BpfObject } from '../../native/bpf-object.ts';
import { RingBuffer } from '../../native/ring-buffer.ts';
import { SockDiag } from '../../native/sock-diag.ts';
import { netnsCookie } from '../../native/system.ts';
import type { Changes, DesiredState } from '../../state/model.ts';
import type { Backend, BackendReading, ProbeResult, SyncReport } from '../backend.ts';
import { SocketCanary } from './canary.ts';
import { PacketCanary } from './canary-packets.ts';
import { cleanupEbpf } from './cleanup.ts';
import { applyConntrackSettings, loadConntrack } from './conntrack-sysctls.ts';
import { readCounters } from './counters.ts';
import { datapathConfig, tableSizes } from './datapath-config.ts';
import { podDeviceOf } from './device-rows.ts';
import { ExcludedCgroups } from './excluded-cgroups.ts';
import { FlowExpiry } from './expire.ts';
import { ForwardRule } from './forward-rule.ts';
import { Hooks } from './hooks.ts';
import { HostPort, removeHostPort } from './host-port.ts';
import { frontendsInUse } from './host-port-flows.ts';
import { makeSelfCheck } from './make-self-check.ts';
import { type Migration, migrateFrom } from './migrate.ts';
import { nodePortBlocks } from './node-addresses.ts';
import { NodeNetwork } from './node-network.ts';
import {
  ensureBpffs,
  findBpffs,
  layoutName,
  makePinFolder,
  mountPoints,
  type PinFolder,
  pinFolder,
  pinFolders,
  removeUnfinished,
} from './pins.ts';
import { ServiceCidrTable } from './prefix-table.ts';
import { type ProgrammerTables, programmerTables } from './programmer-tables.ts';
import { refusalLog } from './refusal-log.ts';
import type { SelfCheck } from './self-check.ts';
import { ServiceProgrammer } from './service-programmer.ts';
import { StaleUdpSockets } from './stale-udp-sockets.ts';
import type { TableFill } from './table-pressure.ts';
import { serviceReadings, TrafficTotals } from './traffic-totals.ts';
import { verifiedCgroups } from './verified-cgroups.ts';
import type { VerifiedTable } from './verified-table.ts';

/** What NodePort addresses and detectors need to know of the node, as far as it is known. */
export interface NodeFacts {
  readonly nodeIPs: readonly string[]; // at most one each family, the primary first
  readonly podCIDRs: readonly string[];
}

export class EbpfBackend implements Backend {
  readonly mode = 'ebpf';
  readonly #config: Config;
  readonly #logger: Logger;
  readonly #facts: () => NodeFacts;
  readonly #closers: (() => void)[] = [];
  readonly #totals = new TrafficTotals();
  #pins: PinFolder | null = null;
  #object: BpfObject | null = null;
  #programmer: ServiceProgrammer | null = null;
  #expiry: FlowExpiry | null = null;
  #network: NodeNetwork | null = null;
  #forwardRule: ForwardRule | null = null;
  #excludedCgroups: ExcludedCgroups | null = null;
  #hostPort: HostPort | null = null;
  #staleSockets: StaleUdpSockets | null = null;
  #serviceCidrs: ServiceCidrTable | null = null;
  #selfCheck: SelfCheck | null = null;
  #isSynced = false;
  #cgroup = ''; // where the socket path is attached
  #addressRows: () => number = () => 0;
  #refused: VerifyReport['refused'] = { error: '', servicePorts: [] };
  readonly #verified: VerifiedTable[] = [];

  constructor(config: Config, logger: Logger, facts: () => NodeFacts) {
    this.#config = config;
    this.#logger = logger;
    this.#facts = facts;
  }

  probe(): Promise<ProbeResult> {
    try {
      objectPath();
      ensureBpffs(this.#config.ebpf.bpffsRoot);
      return Promise.resolve({ ok: true });
    } catch (error) {
      return Promise.resolve({ ok: false, reason: error instanceof Error ? error.message : String(error) });
    }
  }

  async start(): Promise<void> {
    const config = this.#config;
    const facts = this.#facts();
    const sizes = tableSizes(config);
    loadConntrack();
    applyConntrackSettings(config.conntrack);
    const bpffs = ensureBpffs(config.ebpf.bpffsRoot);
    const pins = pinFolder(bpffs, layoutName(sizes));
    const others = pinFolders(bpffs).filter(({ path }) => path !== pins.path);
    removeUnfinished(pins, others);
    makePinFolder(pins);
    const datapath = datapathConfig(config, facts.podCIDRs, netnsCookie());
    const object = await loadObject(objectPath(), { config: datapath, sizes, pinnedMaps: pins.maps });
    this.#object = object;
    this.#pins = pins;
    this.#closers.push(() => object.close());
    const migrations = others.map((folder) => migrateFrom(folder, pins, object, this.#logger));
    await this.#startHostPort(object);
    const hooks = new Hooks(object, pins);
    this.#startParts(object, pins, hooks, datapath.masqueradeMark, migrations);
    this.#finish(migrations);
    await this.#forwardRule?.ensure();
    await this.#prepareSelfCheck(object, hooks);
  }

  /** Its devices are there before devices are hooked; its routes come with the Services. */
  async #startHostPort(object: BpfObject): Promise<void> {
    if (!this.#config.ebpf.hostPort) return removeHostPort();
    const nodeIPs = (): readonly string[] => this.#facts().nodeIPs;
    const { mode, exclude } = this.#config.ebpf.socketPath;
    const byConnect = mode !== 'off' && exclude.length === 0;
    const inUse = (): ReadonlySet<string> => frontendsInUse(object.map('flow_states'));
    const hostPort = new HostPort({ aliases: object.map('host_aliases'), nodeIPs, byConnect, inUse, logger: this.#logger });
    this.#hostPort = hostPort;
    this.#verified.push(hostPort.verified);
    this.#closers.push(() => hostPort.close());
    await hostPort.start();
  }

  /** Tables first, then the hooks that read them. */
  #startParts(object: BpfObject, pins: PinFolder, hooks: Hooks, mark: number, migrations: readonly Migration[]): void {
    const tables = programmerTables(object);
    this.#serviceCidrs = new ServiceCidrTable(object.map('service_cidrs'));
    this.#addressRows = () => tables.addresses.used;
    this.#verified.push(tables.addresses.verified, tables.sourceRanges.verified, this.#serviceCidrs.verified);
    this.#startServices(object, tables);
    for (const migration of migrations) migration.adoptLinks();
    this.#network = new NodeNetwork({
      hooks,
      devices: object.map('devices'),
      addresses: tables.addresses,
      device: {
        include: this.#config.ebpf.devicesInclude,
        exclude: this.#config.ebpf.devicesExclude,
        podDevice: podDeviceOf(this.#config),
      },
      nodePortBlocks: () => nodePortBlocks(this.#config.nodePortAddresses, this.#facts().nodeIPs),
      addressesSeen: (addresses) => this.#hostPort?.addressesSeen(addresses),
      logger: this.#logger,
    });
    this.#network.start();
    this.#closers.push(() => this.#network?.close());
    this.#startSocketPath(hooks, object);
    this.#expiry = new FlowExpiry(object.program('flow_expire'), this.#config.ebpf.flowTableSize, this.#logger);
    this.#expiry.start();
    this.#closers.push(() => this.#expiry?.close());
    const events = new RingBuffer(object.map('events'), refusalLog(this.#logger));
    this.#closers.push(() => events.close());
    this.#forwardRule = new ForwardRule(mark, this.#logger);
    const { hookedDevices } = this.#network;
    this.#logger.info('Datapath is in force', { pins: pins.path, devices: hookedDevices, attach: hooks.attachKind });
  }

  /** It begins after the first pass, which writes the canary's rows too. */
  async #prepareSelfCheck(object: BpfObject, hooks: Hooks): Promise<void> {
    if (!this.#programmer || !this.#network || !this.#forwardRule) throw new Error('self-check before its parts');
    const canary = this.#cgroup === '' ? null : new SocketCanary();
    if (canary) {
      this.#closers.push(() => this.#endCanary(canary));
      await canary.open();
    }
    const packetCanary = this.#hostPort && new PacketCanary(object.map('flow_states'));
    if (packetCanary) {
      this.#closers.push(() => packetCanary.close());
      await packetCanary.open();
    }
    this.#programmer.setOwnUnits([...(canary?.units ?? []), ...(packetCanary?.units ?? [])]);
    const selfCheck = makeSelfCheck({
      ...{
        object,
        hooks,
        network: this.#network,
        canary,
        packetCanary,
        cgroup: this.#cgroup,
        tables: this.#verified,
        forward: this.#forwardRule,
        logger: this.#logger,
      },
      programmed: this.#programmer.programmed,
      isExcluded: () => this.#excludedCgroups?.coversThisProcess ?? false,
      fill: () => this.#fill(),
      refused: () => this.#refused,
      periodMs: this.#config.ebpf.verifyPeriodMs,
    });
    this.#selfCheck = selfCheck;
    this.#closers.push(() => selfCheck.close());
  }

  /** Its ports are ports of the node's loopback addresses, which are free for others now. */
  #endCanary(canary: SocketCanary): void {
    try {
      if (this.#isSynced) this.#programmer?.withdrawOwn(canary.units);
    } catch (error) {
      this.#logger.warn('The canary stays in the tables until the next start', { err: error });
    }
    canary.close();
  }

  #startServices(object: BpfObject, tables: ProgrammerTables): void {
    const staleSockets = new StaleUdpSockets({
      rows: object.map('udp_sockets'),
      generation: (backendId) => tables.services.generation(backendId),
      list: () => SockDiag.listConnectedUdp(),
      destroy: (socket) => SockDiag.destroyUdp(socket),
      logger: this.#logger,
    });
    this.#staleSockets = staleSockets;
    this.#closers.push(() => staleSockets.close());
    this.#programmer = new ServiceProgrammer(tables, {
      nodeIPs: () => this.#facts().nodeIPs,
      onLeft: (protocols) => {
        if (protocols.has('UDP')) staleSockets.sweep();
      },
    });
  }

  #startSocketPath(hooks: Hooks, object: BpfObject): void {
    if (this.#config.ebpf.socketPath.mode === 'off') return hooks.detachCgroup();
    const root = this.#config.ebpf.cgroupRoot || mountPoints('cgroup2')[0];
    if (root === undefined) {
      throw new TurnoutError('ENOCGROUP', 'no cgroup v2 is mounted, so sockets cannot be translated', {
        hint: 'mount one and name it with --ebpf-cgroup-root, or leave sockets alone with --ebpf-socket-path=off',
      });
    }
    try {
      this.#excludeCgroups(root, object);
      hooks.attachCgroup(root);
      this.#cgroup = root;
    } catch (error) {
      throw new TurnoutError('ECGROUP', `cannot attach to the cgroup ${root}: ${(error as Error).message}`, {
        hint: 'name a cgroup v2 folder with --ebpf-cgroup-root, or leave sockets alone with --ebpf-socket-path=off',
        cause: error,
      });
    }
  }

  #excludeCgroups(root: string, object: BpfObject): void {
    const patterns = this.#config.ebpf.socketPath.exclude;
    const excluded = new ExcludedCgroups({ map: object.map('excluded_cgroups'), root, patterns, logger: this.#logger });
    this.#excludedCgroups = excluded;
    this.#closers.push(() => excluded.close());
    excluded.reconcile();
    this.#verified.push(verifiedCgroups(object.map('excluded_cgroups'), excluded.ids));
    if (patterns.length > 0) this.#logger.info('Cgroups are left to the packet path', { patterns, cgroups: excluded.count });
  }

  #finish(migrations: readonly Migration[]): void {
    for (const migration of migrations) migration.finish();
  }

  async sync(desired: DesiredState, changes: Changes): Promise<SyncReport> {
    try {
      const report = await this.#sync(desired, changes);
      this.#refused = { error: '', servicePorts: report.failures };
      if (!this.#isSynced) this.#selfCheck?.start();
      this.#isSynced = true;
      return report;
    } catch (error) {
      this.#refused = { error: reasonOf(error), servicePorts: [] };
      throw error;
    }
  }

  async #sync(desired: DesiredState, changes: Changes): Promise<SyncReport> {
    if (!this.#programmer || !this.#network || !this.#object) throw new Error('sync before start');
    if (changes.full) {
      this.#network.reconcile(true);
      this.#excludedCgroups?.reconcile();
      await this.#forwardRule?.ensure();
      this.#serviceCidrs?.write(desired.serviceCIDRs);
    }
    // At once with the tables: a route without a Service refuses what would have gone astray, one too few leads past it.
    const routed = this.#hostPort?.sync(desired, changes);
    const report = this.#programmer.sync(desired, changes);
    // A former process may have ended between the tables and the sockets.
    if (changes.full) this.#staleSockets?.sweep();
    await routed;
    return report;
  }

  /** Counters and table fill for metrics; empty before start. */
  reading(): BackendReading {
    if (!this.#object) return { events: {}, drops: {}, tables: {}, services: [] };
    const services = serviceReadings(this.#totals.read(this.#object));
    const verification = this.verification();
    return {
      ...readCounters(this.#object.map('counters')),
      tables: this.#fill(),
      services,
      ...(verification && { verification }),
    };
  }

  verification(): VerifyReport | null {
    return this.#selfCheck?.report() ?? null;
  }

  #fill(): TableFill {
    const { flowTableSize, backendTableSize, serviceTableSize } = this.#config.ebpf;
    return {
      flow_states: { used: this.#expiry?.inUse ?? 0, size: flowTableSize },
      backends: { used: this.#programmer?.usedBackendRows ?? 0, size: backendTableSize },
      frontends: { used: this.#programmer?.usedFrontends ?? 0, size: serviceTableSize },
      addresses: { used: this.#addressRows(), size: this.#object?.map('addresses').maxEntries ?? 0 },
    };
  }

  async verify(): Promise<VerifyReport> {
    if (!this.#selfCheck || !this.#isSynced) {
      throw new TurnoutError('ENOTREADY', 'turnout has not programmed anything yet', { hint: 'ask again when it is ready' });
    }
    return await this.#selfCheck.run();
  }

  get pinPath(): string {
    return this.#pins?.path ?? '';
  }

  async close(): Promise<void> {
    await this.#hostPort?.settled();
    for (const close of this.#closers.splice(0).reverse()) close();
    this.#object = null;
  }

  async cleanup(): Promise<void> {
    await this.close();
    await cleanupEbpf(findBpffs(this.#config.ebpf.bpffsRoot));
  }
}
