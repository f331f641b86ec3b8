// All that the model remembers from packet to packet, and the node that it is about.
import type { Address } from './address.ts';
import { FlowTable } from './flows.ts';
import { Fragments } from './fragments.ts';
import { type Node, Services } from './services.ts';

export interface Device {
  /** A bridge's MAC address when this is one of its ports; null: a device of its own. */
  readonly bridgeMac: Uint8Array | null;
  /** Source of masqueraded packets that leave here; null: none. */
  readonly sourceV4: Address | null;
  readonly sourceV6: Address | null;
}

export interface ModelNode extends Node {
  readonly masqueradeMark: number;
  readonly snatPortMin: number;
  readonly snatPortMax: number;
}

export class ModelState {
  readonly node: ModelNode;
  readonly services: Services;
  readonly flows = new FlowTable();
  readonly fragments = new Fragments();
  device: Device;

  constructor(node: ModelNode, device: Device) {
    this.node = node;
    this.device = device;
    this.services = new Services(node);
  }

  isInSnatRange = (port: number): boolean => port >= this.node.snatPortMin && port <= this.node.snatPortMax;

  /** Rule 1: a bridge port's packets are ours when the bridge is addressed; elsewhere the station of a test run has no address. */
  isOurs(frame: Uint8Array): boolean {
    const mac = this.device.bridgeMac;
    for (let i = 0; i < 6; i++) if (frame[i] !== (mac ? mac[i] : 0)) return false;
    return true;
  }

  forgetFlows(): void {
    this.flows.clear();
    this.fragments.clear();
  }
}
