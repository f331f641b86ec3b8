// Follows devices and addresses of the node and keeps hooks, `devices` and the node's part of `addresses` in step with them.
import { u32Bytes, viewOf } from '../../datapath/bytes.ts';
import { type Device, DeviceFlag, LB_DEVICE_SIZE, readDevice, writeDevice } from '../../datapath/layout.gen.ts';
import type { Logger } from '../../log.ts';
import type { NetlinkAddress, NetlinkEvent } from '../../native/addon.ts';
import type { BpfMap } from '../../native/bpf-map.ts';
import { Netlink } from '../../native/netlink.ts';
import type { Cidr } from '../../state/ip.ts';
import type { AddressTable } from './address-table.ts';
import { type DeviceOptions, deviceRows } from './device-rows.ts';
import type { DevicePrograms, Hooks } from './hooks.ts';
import { HOST_END_ADDRESS } from './host-aliases.ts';
import { nodeAddressFlags } from './node-addresses.ts';
import { keyBytes, keyText } from './service-tables.ts';
import { writing } from './table-full.ts';
import { hashTable, type VerifiedTable } from './verified-table.ts';

export interface NodeNetworkOptions {
  readonly hooks: Hooks;
  readonly devices: BpfMap;
  readonly addresses: AddressTable;
  readonly device: DeviceOptions;
  readonly nodePortBlocks: () => readonly Cidr[];
  readonly addressesSeen: (addresses: readonly NetlinkAddress[]) => void; // the node's, at each look, before devices are hooked
  readonly logger: Logger;
}

/**
 * Invariants: a device's row is written before its programs are attached, and removed after they are detached. A device
 * that cannot be hooked is reported once and tried again with the next look; the others are not held up by it.
 */
export class NodeNetwork {
  readonly #options: NodeNetworkOptions;
  readonly #rows = new Map<number, string>(); // ifindex -> row as text
  readonly #failing = new Set<number>();
  #follower: { close(): void } | null = null;
  #isScheduled = false;
  readonly #deleted = new Set<number>(); // since the last look; an ifindex may be another device's by then
  #hasOverrun = false;

  constructor(options: NodeNetworkOptions) {
    this.#options = options;
  }

  /** Follows first, then looks: nothing that happens in between is missed. */
  start(): void {
    this.#follower = Netlink.follow((event) => this.#changed(event));
    this.reconcile(true);
  }

  close(): void {
    this.#follower?.close();
    this.#follower = null;
  }

  get hookedDevices(): number {
    return this.#rows.size;
  }

  /** `devices` as it should be. What could not be hooked is left to the next look. */
  get verified(): VerifiedTable {
    const rows = this.#rows;
    return hashTable({
      map: this.#options.devices,
      *rows() {
        for (const [ifindex, text] of rows) yield { key: keyText(u32Bytes(ifindex)), value: keyBytes(text) };
      },
      expected: (key) => {
        const ifindex = viewOf(keyBytes(key)).getUint32(0, true);
        const text = rows.get(ifindex);
        if (text !== undefined) return keyBytes(text);
        return this.#failing.has(ifindex) ? undefined : null;
      },
      describe: (key) => this.#nameOf(viewOf(keyBytes(key)).getUint32(0, true)),
    });
  }

  /** Where programs should hang: ifindex -> which. */
  hookedPlaces(): { ifindex: number; programs: DevicePrograms }[] {
    return [...this.#rows].map(([ifindex, text]) => ({ ifindex, programs: programsOf(readDevice(keyBytes(text))) }));
  }

  #nameOf(ifindex: number): string {
    return Netlink.listDevices().find((device) => device.ifindex === ifindex)?.name ?? `ifindex ${ifindex}`;
  }

  /** Makes hooks and rows match the node. `all`: also what did not change, in case somebody else touched it. */
  reconcile(all: boolean): void {
    const devices = Netlink.listDevices();
    const addresses = Netlink.listAddresses().filter(({ address }) => address !== HOST_END_ADDRESS); // serves nobody
    this.#options.addresses.setNodeAddresses(nodeAddressFlags(addresses, this.#options.nodePortBlocks()), all);
    this.#options.addressesSeen(addresses);
    const wanted = deviceRows(devices, addresses, this.#options.device);
    const names = new Map(devices.map((device) => [device.ifindex, device.name]));
    // Links follow a device that is moved into another namespace, and go on naming a number that may be another device's here.
    for (const [ifindex, row] of wanted) {
      this.#hook(ifindex, names.get(ifindex) ?? '', row, all || this.#deleted.has(ifindex));
    }
    this.#deleted.clear();
    const present = new Set([...this.#rows.keys(), ...this.#failing, ...(all ? this.#options.hooks.hookedDevices() : [])]);
    for (const ifindex of present) if (!wanted.has(ifindex)) this.#unhook(ifindex);
  }

  #changed(event: NetlinkEvent): void {
    if (event.kind === 'overrun') this.#hasOverrun = true;
    if (event.kind === 'device' && event.action === 'delete') this.#deleted.add(event.device.ifindex);
    if (event.kind === 'route' || this.#isScheduled) return;
    // Several messages belong to one change (a veth pair, its addresses): look once, right after this batch.
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      if (this.#follower) this.#reconcileSafely();
    });
  }

  #reconcileSafely(): void {
    try {
      this.reconcile(this.#hasOverrun);
      this.#hasOverrun = false;
    } catch (error) {
      this.#options.logger.error('Following the node network failed; it is tried again', { err: error });
    }
  }

  #hook(ifindex: number, name: string, row: Device, all: boolean): void {
    const bytes = new Uint8Array(LB_DEVICE_SIZE);
    writeDevice(bytes, 0, row);
    const text = keyText(bytes);
    const isNew = !this.#rows.has(ifindex);
    try {
      if (all || this.#rows.get(ifindex) !== text)
        writing(this.#options.devices, () => this.#options.devices.set(u32Bytes(ifindex), bytes));
      if (all || isNew) this.#options.hooks.attachDevice(ifindex, programsOf(row));
      this.#rows.set(ifindex, text);
      this.#failing.delete(ifindex);
      if (isNew) this.#options.logger.verbose(2, 'Hooked device', { device: name, ifindex });
    } catch (error) {
      if ((error as { code?: string }).code === 'ENODEV') return this.#unhook(ifindex); // gone since the look; half of it may be there
      if (!this.#failing.has(ifindex)) this.#options.logger.error('Cannot hook device', { device: name, ifindex, err: error });
      this.#failing.add(ifindex);
    }
  }

  #unhook(ifindex: number): void {
    this.#options.hooks.detachDevice(ifindex);
    this.#options.devices.delete(u32Bytes(ifindex));
    this.#rows.delete(ifindex);
    this.#failing.delete(ifindex);
  }
}

const programsOf = ({ flags }: Device): DevicePrograms => (flags & DeviceFlag.LB_DEVICE_HOST_END ? 'host' : 'tc');
