// Every hard part, by group. A new one goes into the file of its group, or begins a group of its own.
import type { Part } from './part.ts';
import { BRIDGE } from './parts/bridge.ts';
import { FLOWS } from './parts/flows.ts';
import { HOST_PORT } from './parts/host-port.ts';
import { ICMP } from './parts/icmp.ts';
import { MASQUERADE } from './parts/masquerade.ts';
import { NODE } from './parts/node.ts';
import { PACKETS } from './parts/packets.ts';
import { PRESSURE } from './parts/pressure.ts';
import { SEEING } from './parts/seeing.ts';
import { SERVICES } from './parts/services.ts';
import { SOCKETS } from './parts/sockets.ts';
import { TIMEOUTS } from './parts/timeouts.ts';

export const PARTS: readonly Part[] = [
  ...BRIDGE,
  ...MASQUERADE,
  ...ICMP,
  ...FLOWS,
  ...TIMEOUTS,
  ...SERVICES,
  ...PACKETS,
  ...HOST_PORT,
  ...PRESSURE,
  ...SOCKETS,
  ...SEEING,
  ...NODE,
];
