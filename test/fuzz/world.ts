// One node in the kernel and in the model: the loaded object with its tables, and the Services of the round.

import {
  LB_DEVICE_SIZE,
  LB_FLOW_KEY_SIZE,
  LB_FLOW_STATE_SIZE,
  readRewrite,
  writeDevice,
  writeFlowKey,
} from '../../src/datapath/layout.gen.ts';
import type { BpfMap } from '../../src/native/bpf-map.ts';
import type { BpfProgram } from '../../src/native/bpf-program.ts';
import type { ServicePort } from '../../src/state/model.ts';
import { Datapath, type Settings } from '../datapath/datapath.ts';
import { u32 } from '../native/u32.ts';
import { changeServices, drawServices, NODE_ADDRESSES, POD_CIDRS, SERVICE_CIDRS } from './cluster.ts';
import { deviceOf } from './device.ts';
import type { Address } from './model/address.ts';
import { Model } from './model/model.ts';
import type { Hook, Observed } from './model/prediction.ts';
import type { Ends } from './model/rewrite.ts';
import { Dice } from './packets/dice.ts';
import { SNAT_PORT_MAX, SNAT_PORT_MIN } from './packets/targets.ts';

const LOOPBACK = 1;
const SK_BUFF_SIZE = 192;
const MARK_OFFSET = 8;
const CLAIM_OFFSET = 8; // in struct lb_flow_state
const ROOM = 8192;
const MASQUERADE_MARK = 0x4000;
const LONG_NS = 10n ** 18n;

/** No flow is ever old, no refusal is one too many. */
const VARIABLES: Settings['variables'] = {
  ...{ snatPortMin: SNAT_PORT_MIN, snatPortMax: SNAT_PORT_MAX, rejectsPerSecond: 0, masqueradeMark: MASQUERADE_MARK },
  ...{ tcpSynNs: LONG_NS, tcpEstablishedNs: LONG_NS, tcpCloseWaitNs: LONG_NS, tcpClosedNs: LONG_NS },
  ...{ udpUnrepliedNs: LONG_NS, udpStreamNs: LONG_NS, sctpInitNs: LONG_NS, sctpEstablishedNs: LONG_NS, sctpClosedNs: LONG_NS },
  ...{ fragmentPauseNs: LONG_NS, fragmentHeldNs: LONG_NS },
};

/** Nodes differ in who is masqueraded. */
const KINDS = [
  { podCidrs: POD_CIDRS, masqueradeAll: false },
  { podCidrs: [], masqueradeAll: false },
  { podCidrs: POD_CIDRS, masqueradeAll: true },
] as const;
export const WORLDS = KINDS.length;

export interface Outcome extends Observed {
  readonly mark: number;
}

export class World {
  readonly datapath: Datapath;
  readonly model: Model;
  mac: Uint8Array = new Uint8Array(6); // of who is addressed
  #units = new Map<string, ServicePort>();
  readonly #programs: Readonly<Record<Hook, BpfProgram>>;
  readonly #random: DataView;
  readonly #context = new Uint8Array(SK_BUFF_SIZE);
  readonly #mark = new DataView(this.#context.buffer);

  private constructor(datapath: Datapath, kind: (typeof KINDS)[number]) {
    this.datapath = datapath;
    const node = { ...kind, addresses: NODE_ADDRESSES, serviceCidrs: SERVICE_CIDRS, masqueradeMark: MASQUERADE_MARK };
    const device = { bridgeMac: null, sourceV4: null, sourceV6: null };
    this.model = new Model({ ...node, snatPortMin: SNAT_PORT_MIN, snatPortMax: SNAT_PORT_MAX }, device);
    const { object } = datapath;
    this.#programs = { ingress: object.program('tc_ingress'), egress: object.program('tc_egress') };
    const state = object.map('.bss').mmap(); // fuzz_random_state alone (seeded-random.h)
    this.#random = new DataView(state.buffer, state.byteOffset);
  }

  static async load(object: string, index: number): Promise<World> {
    const kind = KINDS[index]!;
    const datapath = await Datapath.load({
      object,
      flags: {
        ...(kind.podCidrs.length > 0 && { 'cluster-cidr': kind.podCidrs.join() }),
        ...{ 'ebpf-flow-table-size': '65536', 'ebpf-backend-table-size': '65536', 'ebpf-service-table-size': '4096' },
      },
      variables: { ...VARIABLES, masqueradeAll: kind.masqueradeAll ? 1 : 0 },
      nodeAddresses: [],
    });
    for (const [address, { nodePorts }] of NODE_ADDRESSES) datapath.addNodeAddress(address, { nodePorts });
    datapath.serviceCidrs(...SERVICE_CIDRS);
    return new World(datapath, kind);
  }

  /** Nothing of the rounds before is left; Services and the device are this round's. */
  beginRound(seed: number, round: number): void {
    const dice = new Dice(seed, round, 1);
    const device = deviceOf(round, dice);
    const row = new Uint8Array(LB_DEVICE_SIZE);
    writeDevice(row, 0, device.row);
    this.datapath.map('devices').set(u32(LOOPBACK), row);
    this.mac = device.row.mac;
    this.model.device = device.model;
    this.datapath.map('flow_states').mmap().fill(0);
    for (const name of ['flows', 'fragments', 'affinity']) empty(this.datapath.map(name));
    for (const name of ['held_fragments', 'held_next']) zero(this.datapath.map(name));
    this.model.forgetFlows();
    this.model.services.program([]);
    this.datapath.program();
    this.#units = drawServices(dice);
    this.#program();
  }

  changeServices(seed: number, packet: number): void {
    changeServices(this.#units, new Dice(seed, packet, 2));
    this.#program();
  }

  #program(): void {
    const units = [...this.#units.values()];
    this.datapath.program(...units);
    this.model.services.program(units);
  }

  /** `random`: what the programs' random numbers follow from. */
  run(hook: Hook, frame: Uint8Array, mark: number, random: number): Outcome {
    this.#random.setUint32(0, random, true);
    this.#mark.setUint32(MARK_OFFSET, mark, true);
    const result = this.#programs[hook].testRun({ data: frame, context: this.#context, outputSize: ROOM });
    const code = result.returnValue | 0;
    const { data, context } = result;
    return {
      verdict: code === -1 ? 'next' : code === 2 ? 'drop' : code === 7 ? 'redirect' : String(code),
      packet: data,
      mark: new DataView(context.buffer, context.byteOffset).getUint32(MARK_OFFSET, true),
      entry: (direction, headers) => this.#entry(direction, headers),
    };
  }

  #entry(direction: 'in' | 'out', headers: Parameters<Observed['entry']>[1]): Ends | null {
    const key = new Uint8Array(LB_FLOW_KEY_SIZE);
    const { protocol, source, sourcePort, destination, destinationPort } = headers;
    const octets = (address: Address) => Buffer.from(address, 'latin1');
    const ends = { source: octets(source), destination: octets(destination), sourcePort, destinationPort };
    writeFlowKey(key, 0, { ...ends, protocol, direction: direction === 'in' ? 0 : 1 });
    const value = this.datapath.map('flows').get(key);
    if (!value) return null;
    const { address, flowId, claim, ...ports } = readRewrite(value);
    const states = this.datapath.map('flow_states').mmap();
    const view = new DataView(states.buffer, states.byteOffset);
    if (view.getUint32(flowId * LB_FLOW_STATE_SIZE + CLAIM_OFFSET, true) !== claim) return null;
    return { address: Buffer.from(address).toString('latin1') as Address, ...ports };
  }

  close(): void {
    this.datapath.close();
  }
}

function zero(map: BpfMap): void {
  const { count, keys, values } = map.getBatch();
  map.setBatch(keys, values.fill(0), count);
}

function empty(map: BpfMap): void {
  const { count, keys } = map.getBatch();
  if (count > 0) map.deleteBatch(keys, count);
}
