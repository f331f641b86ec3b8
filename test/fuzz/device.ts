// The device that a round's packets pass: one of its own or a bridge's port, with or without addresses to masquerade with.

import { addressOctets } from '../../src/datapath/address.ts';
import { type Device, DeviceFlag } from '../../src/datapath/layout.gen.ts';
import { V4, V6 } from './cluster.ts';
import { addressOf } from './model/address.ts';
import type { Device as ModelDevice } from './model/state.ts';
import type { Dice } from './packets/dice.ts';

const BRIDGE_MAC = Uint8Array.of(2, 0, 0, 0, 0, 0xb1);

/** `round`: every other one is a bridge's port, every third has no address of one family. */
export function deviceOf(round: number, dice: Dice): { row: Device; model: ModelDevice } {
  const isPort = round % 2 === 1;
  const lacks = round % 3 === 2 ? dice.pick(['IPv4', 'IPv6']) : '';
  const [hasV4, hasV6] = [lacks !== 'IPv4', lacks !== 'IPv6'];
  const none = new Uint8Array(16);
  return {
    row: {
      sourceV4: hasV4 ? addressOctets(V4.node) : none,
      sourceV6: hasV6 ? addressOctets(V6.node) : none,
      mac: isPort ? BRIDGE_MAC : new Uint8Array(6),
      l2Length: 14,
      flags: isPort ? DeviceFlag.LB_DEVICE_BRIDGE_PORT : 0,
    },
    model: {
      bridgeMac: isPort ? BRIDGE_MAC : null,
      sourceV4: hasV4 ? addressOf(V4.node) : null,
      sourceV6: hasV6 ? addressOf(V6.node) : null,
    },
  };
}
