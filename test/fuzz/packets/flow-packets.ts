// Packets that match: to frontends, of flows in each of their roles, ICMP about them, and to addresses of which we know something.
import type { Address } from '../model/address.ts';
import { DIRECTION, type Flow, type Role, type Tuple } from '../model/flows.ts';
import { CHUNK, FLAG, PROTOCOL } from '../model/headers.ts';
import type { Hook } from '../model/prediction.ts';
import type { Dice } from './dice.ts';
import { CASTS, type Cast, CLIENT_PORTS, SNAT_PORT_MAX, SNAT_PORT_MIN } from './targets.ts';
import { IP_MORE, type Ip, plainShape, type Shape } from './write.ts';

export interface Draft extends Ip {
  readonly hook: Hook;
  readonly shape: Shape;
}

const TRANSPORTS = [PROTOCOL.tcp, PROTOCOL.udp, PROTOCOL.sctp] as const;
const EXTENSIONS = [PROTOCOL.hopByHop, PROTOCOL.routing, PROTOCOL.destinationOptions] as const;

/** What the header says beside the ends. `begins`: which TCP flags and chunk are likely. */
function drawShape(dice: Dice, isV4: boolean, protocol: number, likely: 'open' | 'accept' | 'go on'): Shape {
  const shape = plainShape();
  shape.flags = likely === 'open' ? FLAG.syn : likely === 'accept' ? FLAG.syn | FLAG.ack : FLAG.ack;
  shape.chunk = likely === 'open' ? CHUNK.init : likely === 'accept' ? CHUNK.initAck : 0;
  const luck = dice.below(100);
  if (luck < 4) [shape.flags, shape.chunk] = [FLAG.rst | FLAG.ack, CHUNK.abort];
  else if (luck < 10) [shape.flags, shape.chunk] = [FLAG.fin | FLAG.ack, CHUNK.shutdownComplete];
  else if (luck < 13) [shape.flags, shape.chunk] = [dice.below(256), dice.below(256)];
  shape.payload = dice.chance(85) ? dice.below(40) : dice.chance(90) ? dice.below(200) : dice.below(1400);
  // Few at a time, and others after a while: datagrams meet, but no rule about their age is met.
  shape.id = ((dice.number >>> 6) * 4 + dice.below(4)) & 0xffff;
  if (isV4 ? dice.chance(8) : dice.chance(12)) {
    shape.optionWords = 1 + dice.below(10);
    shape.extensions = Array.from({ length: 1 + dice.below(dice.chance(80) ? 2 : 6) }, () => dice.pick(EXTENSIONS));
  }
  if (dice.chance(protocol === PROTOCOL.udp ? 18 : 8)) shape.checksum = dice.chance(65) ? 'zero' : 'wrong';
  if (dice.chance(7)) {
    shape.fragment = IP_MORE;
  }
  return shape;
}

/** A client's first packet to some frontend, or one that pretends to belong to something. */
export function toFrontend(dice: Dice): Draft {
  const cast = dice.pick(CASTS);
  const protocol = dice.pick(TRANSPORTS);
  const { address, port } = dice.pick(cast.frontends);
  // One client asks everybody from the same few ports, until no port is left between the hooks (rule 5).
  const isBusy = dice.chance(30);
  const source = isBusy ? cast.clients[0]! : dice.pick(cast.clients);
  const ends = { source, sourcePort: CLIENT_PORTS[dice.below(isBusy ? 4 : CLIENT_PORTS.length)]! };
  const shape = drawShape(dice, cast.isV4, protocol, dice.chance(92) ? 'open' : 'go on');
  return {
    ...ends,
    destination: address,
    destinationPort: port,
    isV4: cast.isV4,
    protocol,
    hook: dice.chance(97) ? 'ingress' : 'egress',
    shape,
  };
}

const ROLES: readonly Role[] = ['request', 'request', 'answer', 'answer', 'forward', 'forward', 'return', 'return', 'steer'];

/** The tuple of some packets of this flow; where it has none of that role, of those that each flow has. */
function drawTuple(dice: Dice, flow: Flow): { role: Role; tuple: Tuple } {
  // A masqueraded flow that has no source yet should get one soon.
  const role = flow.isMasqueraded && flow.source === null && dice.chance(50) ? 'forward' : dice.pick(ROLES);
  const tuple = flow.keys.has(role) ? flow.tuple(role) : null;
  if (tuple) return { role, tuple };
  const usual = flow.isGuard ? 'forward' : 'request';
  return { role: usual, tuple: flow.tuple(usual)! };
}

export function ofFlow(dice: Dice, flow: Flow): Draft {
  const { role, tuple } = drawTuple(dice, flow);
  if ((role === 'return' || (role === 'request' && flow.frontendPort >= 30000)) && dice.chance(12))
    return fromNode(dice, flow, tuple);
  const isReply = role === 'answer' || role === 'return' || role === 'steer';
  const likely = dice.chance(80) ? 'go on' : isReply ? 'accept' : 'open';
  const shape = drawShape(dice, flow.isV4, flow.protocol, likely);
  const isStrange = dice.chance(3); // at the other hook
  const hook = (DIRECTION[role] === 'in') !== isStrange ? 'ingress' : 'egress';
  return { ...tuple, isV4: flow.isV4, protocol: flow.protocol, hook, shape };
}

/** A connection of the node itself that has address and port of a masqueraded flow (rule 6). */
function fromNode(dice: Dice, flow: Flow, { source, sourcePort, destination, destinationPort }: Tuple): Draft {
  const turned = { source: destination, sourcePort: destinationPort, destination: source, destinationPort: sourcePort };
  const shape = drawShape(dice, flow.isV4, flow.protocol, 'open');
  return { ...turned, isV4: flow.isV4, protocol: flow.protocol, hook: 'egress', shape };
}

/** A fragment that follows another packet, or comes before it. Offsets odd and even. */
export function laterFragment(dice: Dice, first: Draft): Draft {
  const shape = { ...first.shape, extensions: first.shape.extensions.slice(0, 3) };
  shape.fragment = (1 + dice.below(dice.chance(70) ? 200 : 0x1fff)) | (dice.chance(50) ? IP_MORE : 0);
  shape.fragment = shape.fragment & 0x1fff ? shape.fragment : 1;
  shape.payload = dice.chance(80) ? 8 * dice.below(12) : dice.below(100);
  return { ...first, shape };
}

/** Addresses of which we know something though no frontend has this port. */
export function toKnownAddress(dice: Dice): Draft {
  const cast = dice.pick(CASTS);
  const protocol = dice.pick(TRANSPORTS);
  const [destination, destinationPort] = knownTarget(dice, cast);
  const ends = { source: dice.pick(cast.clients), sourcePort: dice.pick(CLIENT_PORTS), destination, destinationPort };
  const shape = drawShape(dice, cast.isV4, protocol, dice.chance(60) ? 'open' : 'go on');
  return { ...ends, isV4: cast.isV4, protocol, hook: 'ingress', shape };
}

function knownTarget(dice: Dice, cast: Cast): [Address, number] {
  switch (dice.below(4)) {
    case 0:
      return [dice.pick(cast.clusterIPs), dice.below(0x10000)];
    case 1:
      return [dice.pick(cast.unallocated), dice.below(0x10000)];
    case 2:
      return [dice.pick(cast.node), SNAT_PORT_MIN + dice.below(SNAT_PORT_MAX - SNAT_PORT_MIN + 3)];
    default:
      return [dice.pick(cast.node), dice.below(0x10000)];
  }
}

/** Nothing of ours. */
export function ofStrangers(dice: Dice): Draft {
  const cast = dice.pick(CASTS);
  const protocol = dice.chance(85) ? dice.pick(TRANSPORTS) : dice.below(256);
  const ends = {
    ...{ source: dice.pick(cast.strangers), sourcePort: dice.below(0x10000) },
    ...{ destination: dice.pick(cast.strangers), destinationPort: dice.below(0x10000) },
  };
  const shape = drawShape(dice, cast.isV4, protocol, dice.chance(50) ? 'open' : 'go on');
  return { ...ends, isV4: cast.isV4, protocol, hook: dice.chance(50) ? 'ingress' : 'egress', shape };
}
