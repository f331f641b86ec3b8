// build/bench/packet.bpf.o in the kernel: the hooks as functions, tables filled by the project's own code, and runs of many packets.
import { join } from 'node:path';
import { type CounterReading, readCounters } from '../src/backend/ebpf/counters.ts';
import { programmerTables } from '../src/backend/ebpf/programmer-tables.ts';
import { ServiceProgrammer } from '../src/backend/ebpf/service-programmer.ts';
import { addressOctets } from '../src/datapath/address.ts';
import { AddressFlag, configVariables, type DatapathConfig, LB_DEVICE_SIZE, writeDevice } from '../src/datapath/layout.gen.ts';
import { BpfError } from '../src/native/bpf-error.ts';
import type { BpfMap } from '../src/native/bpf-map.ts';
import { BpfObject } from '../src/native/bpf-object.ts';
import { configured } from '../test/datapath/datapath.ts';
import { tcp } from '../test/datapath/packet/packet.ts';
import { octetsOf } from '../test/datapath/packet/write-packet.ts';
import { u32 } from '../test/native/u32.ts';
import { clusterIpOf } from './objects.ts';
import { servicePort } from './packet-services.ts';

const OBJECT = join(import.meta.dirname, '../build/bench/packet.bpf.o');
const LOOPBACK = 1; // ifindex: the device of a test run
const NODE = '192.0.2.1';
export const CLUSTER_CIDR = '10.244.0.0/16';

const FLAGS = { 'ebpf-service-table-size': '65536', 'ebpf-backend-table-size': '524288', 'cluster-cidr': CLUSTER_CIDR };

/** Of flows: twice the most that packet.ts makes, so that free rows are found as on a node with room. */
const FLOW_TABLE_SIZE = 262_144;

/** Where pods are, and others; the backend sees a source of the node's instead of the latter. */
export const CLIENTS = { plain: '10.244.0.0', masqueraded: '198.18.0.0' } as const;

/** Words of struct bench_control in packet.bpf.c, in its order, after the time. */
const WORDS = [
  ...['hooks', 'flows', 'firstFlow', 'inOrder', 'services', 'clientBase', 'serviceBase', 'destination', 'fromBackend'],
  ...['tcpFlags', 'record', 'state', 'fragOff', 'newIds', 'timed'],
] as const;
const WORDS_AT = 2;
const OUTCOMES_AT = WORDS_AT + WORDS.length + 3;
const OUTCOMES = 16;

/** Bits of enum bench_outcome. */
export const Outcome = { PASSED: 0, NEW_DESTINATION: 1, NEW_SOURCE: 2, NOT_PASSED: 4, REJECTED: 8 } as const;

/** What fragOff may be: flags and offset as in the IP header. The later one begins where 1,480 octets end. */
export const FragOff = { WHOLE: 0, FIRST: 0x2000, LATER: 185 } as const;

export interface Send {
  readonly hooks: 0 | 1 | 2; // how many of ingress and egress; 0: the harness alone
  readonly flows: number;
  readonly firstFlow?: number;
  readonly inOrder?: boolean;
  readonly destination?: string; // instead of a Service
  readonly fromBackend?: boolean;
  readonly tcpFlags: number;
  readonly record?: boolean;
  readonly fragOff?: number;
  readonly newIds?: boolean; // each packet a datagram of its own, else one for each flow
  readonly timed?: boolean; // measures timedNs
}

export interface KernelOptions {
  readonly services: number;
  readonly endpointsEach: number; // 0: they reject
  readonly clients: keyof typeof CLIENTS;
  readonly affinitySeconds?: number;
  readonly flowTableSize?: number;
  /** What no flag reaches. */
  readonly variables?: Partial<DatapathConfig>;
}

export interface Sent {
  readonly nsPerPacket: number;
  /** Of that, in the hooks, by the clock, whose reading it contains once; 0 unless timed. */
  readonly timedNs: number;
  /** How many packets came out as what, by Outcome. */
  readonly outcomes: Readonly<Record<number, number>>;
}

const number = (address: string): number => Buffer.from(addressOctets(address).subarray(12)).readUInt32BE();

export class PacketKernel {
  readonly services: number;
  readonly #object: BpfObject;
  readonly #control: Uint32Array;
  readonly #timed: BigUint64Array;
  readonly #client: number;
  readonly #packet = octetsOf(
    tcp({ source: NODE, destination: NODE, sourcePort: 1, destinationPort: 2, payload: new Uint8Array(10) }),
  );

  private constructor(object: BpfObject, services: number, firstClient: string) {
    this.#object = object;
    this.services = services;
    this.#client = number(firstClient);
    const memory = object.map('bench_control').mmap();
    this.#control = new Uint32Array(memory.buffer, memory.byteOffset, OUTCOMES_AT + OUTCOMES);
    this.#timed = new BigUint64Array(memory.buffer, memory.byteOffset, 1);
  }

  static async load(options: KernelOptions): Promise<PacketKernel> {
    const { services, endpointsEach, affinitySeconds = 0, flowTableSize = FLOW_TABLE_SIZE } = options;
    const { config, sizes } = configured({ ...FLAGS, 'ebpf-flow-table-size': String(flowTableSize) });
    const object = BpfObject.open(OBJECT);
    for (const [name, bytes] of configVariables({ ...config, ...options.variables })) object.setVariable(name, bytes);
    for (const [name, rows] of Object.entries(sizes)) object.setMaxEntries(name, rows);
    await object.load();
    const device = new Uint8Array(LB_DEVICE_SIZE);
    const [sourceV4, sourceV6] = [addressOctets(NODE), new Uint8Array(16)];
    writeDevice(device, 0, { sourceV4, sourceV6, mac: new Uint8Array(6), l2Length: 14, flags: 0 });
    object.map('devices').set(u32(LOOPBACK), device);
    object.map('addresses').set(addressOctets(NODE), u32(AddressFlag.LB_ADDRESS_NODE | AddressFlag.LB_ADDRESS_NODE_PORT));
    const units = Array.from({ length: services }, (_, n) => servicePort(n, endpointsEach, affinitySeconds));
    const report = new ServiceProgrammer(programmerTables(object)).sync(
      { servicePorts: new Map(units.map((unit) => [unit.key, unit])), healthChecks: new Map(), serviceCIDRs: [], node: null },
      { full: true, upserted: new Set(), removed: new Set() },
    );
    if (report.failures.length > 0) throw new Error(`${report.failures.length} units failed: ${report.failures[0]?.message}`);
    return new PacketKernel(object, services, CLIENTS[options.clients]);
  }

  /** Packets one after the other, each restored before it is sent. `undo`: of what a run that a signal ended has left. */
  send(packets: number, send: Send, undo: () => void = () => {}): Sent {
    for (let tries = 0; ; tries++) {
      try {
        return this.#run('bench_packet', packets, send);
      } catch (error) {
        if (!(error instanceof BpfError) || error.code !== 'EINTR' || tries === 10) throw error;
        undo();
      }
    }
  }

  /** Ends these flows; returns how many of them there were. */
  release(firstFlow: number, flows: number): number {
    const { outcomes } = this.#run('bench_release', flows, { hooks: 0, flows, firstFlow, inOrder: true, tcpFlags: 0 });
    return outcomes[Outcome.PASSED] ?? 0;
  }

  map(name: string): BpfMap {
    return this.#object.map(name);
  }

  /** By the names of `turnout status`, since the load. */
  counted(): CounterReading {
    return readCounters(this.#object.map('counters'));
  }

  /** Why packets were refused so far, by the project's own counters. */
  refusals(): string {
    const { drops } = this.counted();
    const counted = Object.entries(drops).filter(([, count]) => count > 0);
    return counted.map(([name, count]) => `${name} ${count}`).join(', ');
  }

  #run(program: string, repeat: number, send: Send): Sent {
    const values: Record<(typeof WORDS)[number], number> = {
      hooks: send.hooks,
      flows: send.flows,
      firstFlow: send.firstFlow ?? 0,
      inOrder: Number(send.inOrder ?? false),
      services: this.services,
      clientBase: this.#client,
      serviceBase: number(clusterIpOf(0)),
      destination: send.destination ? number(send.destination) : 0,
      fromBackend: Number(send.fromBackend ?? false),
      tcpFlags: send.tcpFlags,
      record: Number(send.record ?? false),
      state: send.inOrder ? 1 : 0x9e3779b1,
      fragOff: send.fragOff ?? FragOff.WHOLE,
      newIds: Number(send.newIds ?? false),
      timed: Number(send.timed ?? false),
    };
    WORDS.forEach((word, i) => {
      this.#control[WORDS_AT + i] = values[word];
    });
    this.#control.fill(0, OUTCOMES_AT);
    this.#timed[0] = 0n;
    const { durationNs } = this.#object.program(program).testRun({ data: this.#packet, repeat });
    const counted = [...this.#control.subarray(OUTCOMES_AT)].map((count, outcome) => [outcome, count] as const);
    const timedNs = Number(this.#timed[0]) / repeat;
    return { nsPerPacket: durationNs, timedNs, outcomes: Object.fromEntries(counted.filter(([, count]) => count > 0)) };
  }

  close(): void {
    this.#object.close();
  }
}
