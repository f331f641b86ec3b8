// The real object in the kernel, filled by the project's own code, with packets sent through its tc programs.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SyncReport } from '../../src/backend/backend.ts';
import type { AddressTable } from '../../src/backend/ebpf/address-table.ts';
import { readCounters } from '../../src/backend/ebpf/counters.ts';
import { datapathConfig, tableSizes } from '../../src/backend/ebpf/datapath-config.ts';
import { ServiceCidrTable } from '../../src/backend/ebpf/prefix-table.ts';
import { programmerTables } from '../../src/backend/ebpf/programmer-tables.ts';
import { ServiceProgrammer } from '../../src/backend/ebpf/service-programmer.ts';
import { ServiceTables } from '../../src/backend/ebpf/service-tables.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { addressOctets } from '../../src/datapath/address.ts';
import {
  AddressFlag,
  type DatapathConfig,
  type Device,
  type FlowState,
  LB_DEVICE_SIZE,
  LB_FLOW_STATE_SIZE,
  readFlowState,
  writeDevice,
} from '../../src/datapath/layout.gen.ts';
import { loadObject, objectPath } from '../../src/datapath/object-file.ts';
import type { BpfMap } from '../../src/native/bpf-map.ts';
import type { BpfObject } from '../../src/native/bpf-object.ts';
import type { BpfProgram } from '../../src/native/bpf-program.ts';
import { mountBpffs, netnsCookie } from '../../src/native/system.ts';
import type { ServicePort } from '../../src/state/model.ts';
import { u32 } from '../native/u32.ts';
import type { Packet } from './packet/packet.ts';
import { octetsOf } from './packet/write-packet.ts';

const LOOPBACK = 1; // ifindex: the device of a test run
const SK_BUFF_SIZE = 192; // struct __sk_buff
const MARK_OFFSET = 8;
const VERDICTS: Readonly<Record<number, string>> = { [-1]: 'next', 0: 'pass', 2: 'drop', 7: 'redirect' };

/** What a program made of a packet. */
export interface Outcome {
  readonly verdict: string;
  readonly packet: Uint8Array;
  readonly mark: number;
}

export interface Settings {
  /** Another build of the programs; default: the one that ships. */
  readonly object?: string;
  /** Flags as on the command line, without dashes. */
  readonly flags?: Readonly<Record<string, string>>;
  /** What no flag reaches. */
  readonly variables?: Partial<DatapathConfig>;
  /** Sources of masqueraded packets, by canonical text; '' : none. */
  readonly sources?: { readonly v4: string; readonly v6: string };
  readonly device?: Partial<Device>;
  /** The node's addresses; node ports are served on all of them. */
  readonly nodeAddresses?: readonly string[];
}

/** Everything that flags decide about the programs and their tables. */
export function configured(flags: Readonly<Record<string, string>>): { config: DatapathConfig; sizes: Record<string, number> } {
  const texts = new Map(Object.entries({ ...SMALL, ...flags }).map(([name, value]) => [name, [value]]));
  const { config } = loadConfig({ flags: texts, file: null, hostname: 'node-a' });
  return { config: datapathConfig(config, [], netnsCookie()), sizes: { ...tableSizes(config) } };
}

/** Sends a packet through a tc program. */
export function outcomeOf(program: BpfProgram, packet: Packet | Uint8Array, mark = 0): Outcome {
  const context = new Uint8Array(SK_BUFF_SIZE);
  context.set(u32(mark), MARK_OFFSET);
  const data = packet instanceof Uint8Array ? packet : octetsOf(packet);
  const result = program.testRun({ data, context, outputSize: 16384 });
  const verdict = VERDICTS[result.returnValue | 0] ?? String(result.returnValue | 0);
  return { verdict, packet: result.data, mark: new DataView(result.context.buffer).getUint32(MARK_OFFSET, true) };
}

const SMALL = { 'ebpf-flow-table-size': '1024', 'ebpf-service-table-size': '1024', 'ebpf-backend-table-size': '1024' };

export class Datapath {
  readonly object: BpfObject;
  programmer: ServiceProgrammer;

  /** By canonical address, as nodeAddressFlags() gives them. */
  readonly #nodeFlags = new Map<string, number>();
  #addresses: AddressTable;

  private constructor(object: BpfObject) {
    this.object = object;
    const tables = programmerTables(this);
    this.#addresses = tables.addresses;
    this.programmer = new ServiceProgrammer(tables, { nodeIPs: () => [...this.#nodeFlags.keys()] });
  }

  /** Loads the object with its maps in a bpffs that is gone again when this returns. */
  static async load(settings: Settings = {}): Promise<Datapath> {
    const { config, sizes } = configured(settings.flags ?? {});
    const pinnedMaps = mkdtempSync(join(tmpdir(), 'turnout-datapath-'));
    mountBpffs(pinnedMaps);
    try {
      const object = await loadObject(settings.object ?? objectPath(), {
        config: { ...config, ...settings.variables },
        sizes,
        pinnedMaps,
      });
      const datapath = new Datapath(object);
      datapath.#describeNode(settings);
      return datapath;
    } finally {
      execFileSync('umount', ['--lazy', pinnedMaps]);
      rmSync(pinnedMaps, { recursive: true, force: true });
    }
  }

  /** From now on another programmer has the same tables, as a process that starts anew does. */
  restart(): void {
    const tables = programmerTables(this);
    this.#addresses = tables.addresses;
    this.programmer = new ServiceProgrammer(tables, { nodeIPs: () => [...this.#nodeFlags.keys()] });
    this.#addresses.setNodeAddresses(this.#nodeFlags, true);
  }

  /** An address of the node. */
  addNodeAddress(address: string, { nodePorts }: { readonly nodePorts: boolean }): void {
    this.#nodeFlags.set(address, AddressFlag.LB_ADDRESS_NODE | (nodePorts ? AddressFlag.LB_ADDRESS_NODE_PORT : 0));
    this.#addresses.setNodeAddresses(this.#nodeFlags, false);
  }

  removeNodeAddress(address: string): void {
    this.#nodeFlags.delete(address);
    this.#addresses.setNodeAddresses(this.#nodeFlags, false);
  }

  /** The cluster's ServiceCIDRs are exactly these. */
  serviceCidrs(...cidrs: string[]): void {
    new ServiceCidrTable(this.map('service_cidrs')).write(cidrs);
  }

  get tables(): ServiceTables {
    return ServiceTables.of(this);
  }

  map(name: string): BpfMap {
    return this.object.map(name);
  }

  /** Programs exactly these units. */
  program(...units: ServicePort[]): SyncReport {
    const servicePorts = new Map(units.map((unit) => [unit.key, unit]));
    const report = this.programmer.sync(
      { servicePorts, healthChecks: new Map(), serviceCIDRs: [], node: null },
      { full: true, upserted: new Set(), removed: new Set() },
    );
    if (report.failures.length > 0) throw new Error(JSON.stringify(report.failures));
    return report;
  }

  ingress(packet: Packet | Uint8Array, mark = 0): Outcome {
    return this.#run('tc_ingress', packet, mark);
  }

  egress(packet: Packet | Uint8Array, mark = 0): Outcome {
    return this.#run('tc_egress', packet, mark);
  }

  hostIngress(packet: Packet | Uint8Array): Outcome {
    return this.#run('host_ingress', packet, 0);
  }

  hostEgress(packet: Packet | Uint8Array): Outcome {
    return this.#run('host_egress', packet, 0);
  }

  #run(program: string, packet: Packet | Uint8Array, mark: number): Outcome {
    return outcomeOf(this.object.program(program), packet, mark);
  }

  /** What `action` counted: names of enum lb_counter in lower case, without those that stayed. */
  counted(action: () => void): Record<string, number> {
    const before = this.#counters();
    action();
    const after = this.#counters();
    return Object.fromEntries(
      Object.entries(after)
        .map(([name, value]) => [name, value - (before[name] ?? 0)] as const)
        .filter(([, value]) => value !== 0),
    );
  }

  #counters(): Record<string, number> {
    const { events, drops } = readCounters(this.map('counters'));
    const named = Object.entries(drops).map(([name, value]) => [`drop_${name}`, value] as const);
    return { ...events, ...Object.fromEntries(named) };
  }

  /** Rows of flow_states in use. */
  flows(): FlowState[] {
    const rows = this.map('flow_states').mmap();
    const states = Array.from({ length: rows.length / LB_FLOW_STATE_SIZE }, (_, i) =>
      readFlowState(rows, i * LB_FLOW_STATE_SIZE),
    );
    return states.filter(({ claim }) => claim !== 0);
  }

  /** Rows of `flows`, also leftovers. */
  get entries(): number {
    return this.map('flows').keys().length;
  }

  /** No flow, no fragment, no affinity: as after a load. */
  forgetFlows(): void {
    this.map('flow_states').mmap().fill(0);
    for (const name of ['flows', 'fragments', 'affinity']) {
      const map = this.map(name);
      for (const key of map.keys()) map.delete(key);
    }
  }

  #describeNode({ device, sources = { v4: '192.0.2.1', v6: '2001:db8::1' }, nodeAddresses }: Settings): void {
    const row = new Uint8Array(LB_DEVICE_SIZE);
    const [sourceV4, sourceV6] = [sources.v4, sources.v6].map((text) => (text ? addressOctets(text) : new Uint8Array(16)));
    const plain = { sourceV4: sourceV4!, sourceV6: sourceV6!, mac: new Uint8Array(6), l2Length: 14, flags: 0 };
    writeDevice(row, 0, { ...plain, ...device });
    this.map('devices').set(u32(LOOPBACK), row);
    for (const address of nodeAddresses ?? ['192.0.2.1', '2001:db8::1']) {
      this.addNodeAddress(address, { nodePorts: true });
    }
  }

  close(): void {
    this.object.close();
  }
}
