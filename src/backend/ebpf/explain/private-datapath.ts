// The same programs with the same configuration over tables of their own: what they do to a packet can be seen, and nobody else is
// touched. Tables that programs only read are the pinned ones; everything they write is private and goes with this process.

import { u32Bytes, viewOf } from '../../../datapath/bytes.ts';
import { LB_DEVICE_SIZE, LB_EXPLAIN_SOCKET_SIZE, readDevice, writeDevice } from '../../../datapath/layout.gen.ts';
import { MAP_NAMES, type MapName, objectPath } from '../../../datapath/object-file.ts';
import type { BpfMap } from '../../../native/bpf-map.ts';
import { BpfObject } from '../../../native/bpf-object.ts';
import { readCounters } from '../counters.ts';
import { openTables } from '../pinned-tables.ts';
import type { PinFolder } from '../pins.ts';
import { otherVersion, type RunningPrograms } from './running-programs.ts';

/** Read by the programs, written by the controller alone. A table that is not named here is private, also one that comes later. */
export const SHARED_TABLES = [
  ...(['frontends', 'backends', 'backend_states', 'addresses', 'host_aliases'] as const),
  ...(['source_ranges', 'service_cidrs', 'service_names', 'excluded_cgroups'] as const),
] satisfies readonly MapName[];

const PROGRAMS: ReadonlySet<string> = new Set(['tc_ingress', 'tc_egress', 'host_egress', 'explain_socket']);

/** Rows of the private tables: room for the few flows that can concern one packet. Others keep the size of the object file. */
export const PRIVATE_ROWS: Readonly<Record<string, number>> = {
  ...{
    flow_states: 256,
    flows: 2048,
    affinity: 1024,
    fragments: 1024,
    service_stats: 1,
    backend_stats: 1,
    udp_sockets: 1,
    events: 4096,
    monitored: 4096,
  },
};
/** The one variable that differs from the programs in force: it is the size of a private table. */
const FLOW_STATES = 'cfg_flow_states';

// struct __sk_buff
const SK_BUFF_SIZE = 192;
const MARK_AT = 8;
const IFINDEX_AT = 40;
const ETHERNET_OCTETS = 14;
const VERDICTS: Readonly<Record<number, Verdict>> = { [-1]: 'next', 0: 'next', 2: 'drop', 7: 'redirect' };

export type Verdict = 'next' | 'drop' | 'redirect';

/** What a program made of a frame. */
export interface Ran {
  readonly verdict: Verdict;
  readonly frame: Uint8Array;
  readonly mark: number;
  /** What it counted, by the names of reasons.ts; refusals and events alike. */
  readonly counted: ReadonlySet<string>;
}

export class PrivateDatapath {
  readonly #object: BpfObject;

  private constructor(object: BpfObject) {
    this.#object = object;
  }

  /** Throws TurnoutError ELAYOUT when the object file is not the one that the running programs came from. */
  static async load(folder: PinFolder, running: RunningPrograms): Promise<PrivateDatapath> {
    const shared = openTables(folder, [...SHARED_TABLES, 'devices']);
    const object = BpfObject.open(objectPath());
    try {
      for (const [name, bytes] of running.variables) object.setVariable(name, bytes);
      object.setVariable(FLOW_STATES, u32Bytes(PRIVATE_ROWS['flow_states'] ?? 0));
      for (const name of MAP_NAMES) {
        const rows = PRIVATE_ROWS[name];
        if (rows !== undefined) object.setMaxEntries(name, rows);
      }
      for (const name of SHARED_TABLES) object.reuseMap(name, shared.map(name));
      for (const { name } of object.describe().programs) object.setAutoload(name, PROGRAMS.has(name));
      await object.load();
      for (const name of PROGRAMS) {
        const tag = running.tags.get(name);
        if (tag !== undefined && tag !== object.program(name).tag) throw otherVersion();
      }
      copyDevices(shared.map('devices'), object.map('devices'));
      return new PrivateDatapath(object);
    } catch (error) {
      object.close();
      throw error;
    } finally {
      shared.close();
    }
  }

  map(name: MapName): BpfMap {
    return this.#object.map(name);
  }

  /** Runs a frame as if it had come in by, or were to leave by, this device. */
  run(program: 'tc_ingress' | 'tc_egress' | 'host_egress', frame: Uint8Array, ifindex: number, mark = 0): Ran {
    const context = new Uint8Array(SK_BUFF_SIZE);
    viewOf(context).setUint32(MARK_AT, mark, true);
    viewOf(context).setUint32(IFINDEX_AT, ifindex, true);
    const before = this.#counts();
    const result = this.#object.program(program).testRun({ data: frame, context });
    const counted = new Set([...this.#counts()].flatMap(([name, count]) => (count > (before.get(name) ?? 0) ? [name] : [])));
    const verdict = VERDICTS[result.returnValue | 0] ?? 'drop';
    return { verdict, frame: result.data, mark: viewOf(result.context).getUint32(MARK_AT, true), counted };
  }

  /** Asks explain_socket; `question` is a struct lb_explain_socket, and so is the answer. */
  askSocket(question: Uint8Array): Uint8Array {
    const data = new Uint8Array(ETHERNET_OCTETS + LB_EXPLAIN_SOCKET_SIZE);
    data.set(question, ETHERNET_OCTETS);
    const result = this.#object.program('explain_socket').testRun({ data, context: new Uint8Array(SK_BUFF_SIZE) });
    return result.data.slice(ETHERNET_OCTETS);
  }

  /** No flow and no affinity, as after the load. */
  forget(): void {
    this.map('flow_states').mmap().fill(0);
    for (const name of ['flows', 'affinity', 'fragments'] as const) {
      const map = this.map(name);
      for (const key of map.keys()) map.delete(key);
    }
  }

  #counts(): Map<string, number> {
    const { events, drops } = readCounters(this.map('counters'));
    return new Map([...Object.entries(events), ...Object.entries(drops)]);
  }

  close(): void {
    this.#object.close();
  }
}

/** Copied, since a test run puts an Ethernet header before every packet: to a device that has none it is made known as one that has. */
function copyDevices(from: BpfMap, to: BpfMap): void {
  for (const key of from.keys()) {
    const value = from.get(key);
    if (!value) continue;
    const row = new Uint8Array(LB_DEVICE_SIZE);
    writeDevice(row, 0, { ...readDevice(value), l2Length: ETHERNET_OCTETS });
    to.set(key, row);
  }
}
