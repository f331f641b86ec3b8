// ICMP errors and redirects about packets of flows, as a router or an end would send them, and many that nobody would.
import type { Flow, Tuple } from '../model/flows.ts';
import { L2, PROTOCOL } from '../model/headers.ts';
import type { Hook } from '../model/prediction.ts';
import type { Dice } from './dice.ts';
import { CASTS, type Cast } from './targets.ts';
import { finishIcmp, type Ip, plainShape, writeIp, writePacket } from './write.ts';

const turned = ({ source, sourcePort, destination, destinationPort }: Tuple): Tuple => ({
  ...{ source: destination, sourcePort: destinationPort, destination: source, destinationPort: sourcePort },
});

interface About {
  readonly hook: Hook;
  readonly inner: Tuple; // as the sender of the error saw it
}

/** Which packet of the flow is complained about. */
function drawAbout(dice: Dice, flow: Flow): About {
  const seen: About[] = flow.isGuard
    ? []
    : [
        { hook: 'ingress', inner: turned(flow.tuple('request')!) }, // an answer that the client got
        { hook: 'egress', inner: turned(flow.tuple('answer')!) }, // a request that the backend got
      ];
  const [forward, returned] = [flow.isMasqueraded ? flow.tuple('forward') : null, flow.tuple('return')];
  if (forward) seen.push({ hook: 'egress', inner: turned(forward) });
  if (returned) seen.push({ hook: 'ingress', inner: turned(returned) });
  return dice.pick(seen);
}

const ERRORS = { v4: [3, 3, 3, 11, 12, 4], v6: [1, 2, 2, 3, 4] } as const;

/** Writes the frame behind its Ethernet header; the hook it is for, and its end. */
export function writeIcmpAbout(octets: Uint8Array, dice: Dice, flow: Flow): { hook: Hook; end: number } {
  const { hook, inner } = drawAbout(dice, flow);
  const cast = CASTS.find(({ isV4 }) => isV4 === flow.isV4)!;
  const about = { ...inner, isV4: flow.isV4, protocol: flow.protocol };
  const source = dice.chance(50) ? inner.destination : dice.pick([cast.router, ...cast.strangers]);
  const outer = { isV4: flow.isV4, protocol: cast.isV4 ? PROTOCOL.icmp : PROTOCOL.icmpv6, source, destination: inner.source };
  const shape = plainShape();
  if (dice.chance(6)) [shape.optionWords, shape.extensions] = [1 + dice.below(6), [PROTOCOL.destinationOptions]];
  if (dice.chance(3)) shape.fragment = dice.pick([0x2000, 1, 0x2005]);
  const isRedirect = dice.chance(14);
  const end = writeIp(octets, L2, outer, shape, dice, (icmp) => {
    const quoted = writeQuoted(octets, icmp, dice, cast, about, isRedirect);
    const [type, code] = drawType(dice, cast.isV4, isRedirect);
    finishIcmp(octets, L2, icmp, quoted, cast.isV4, type, code, dice.chance(12) ? dice.below(0x10000) : 0);
    return quoted;
  });
  return { hook: dice.chance(95) ? hook : hook === 'ingress' ? 'egress' : 'ingress', end };
}

function drawType(dice: Dice, isV4: boolean, isRedirect: boolean): [number, number] {
  if (isRedirect) return [isV4 ? 5 : 137, dice.below(2)];
  return [dice.chance(92) ? dice.pick(isV4 ? ERRORS.v4 : ERRORS.v6) : dice.below(256), dice.below(8)];
}

/** The message's second word and the packet inside; its end, which may be anywhere. */
function writeQuoted(octets: Uint8Array, icmp: number, dice: Dice, cast: Cast, about: Ip, isRedirect: boolean): number {
  dice.fill(octets, icmp + 4, icmp + 8);
  let ip = icmp + 8;
  if (isRedirect && !cast.isV4) {
    ip = icmp + 40;
    dice.fill(octets, icmp + 8, ip);
    if (dice.chance(50)) {
      octets.set([2, 1, 2, 0, 0, 0, 0, 7], ip); // the target's link-layer address
      ip += 8;
    }
    octets.set([4, dice.chance(90) ? 7 : 0, 0, 0, 0, 0, 0, 0], ip);
    ip += 8;
  }
  const shape = plainShape();
  shape.payload = dice.below(30);
  if (dice.chance(12)) shape.optionWords = 1 + dice.below(10);
  if (dice.chance(4)) shape.extensions = [PROTOCOL.destinationOptions];
  if (dice.chance(8)) shape.fragment = dice.pick([0x2000, 0x2000, 1, 0x1fff]);
  const end = dice.chance(95) ? writePacket(octets, ip, about, shape, dice) : writeNested(octets, ip, dice, about);
  if (dice.chance(8)) octets[ip] = dice.chance(50) ? (octets[ip]! & 0xf0) | dice.below(16) : dice.below(256); // version and length
  if (dice.chance(5)) octets[ip + (cast.isV4 ? 9 : 6)] = dice.below(256);
  // What is quoted: the header and eight octets, all of it, or whatever the line let through.
  const header = cast.isV4 ? 20 + shape.optionWords * 4 : 40;
  const luck = dice.below(100);
  if (luck < 45) return Math.min(end, ip + header + 8);
  return luck < 75 ? end : ip + dice.below(end - ip + 1);
}

/** An error about an error. */
function writeNested(octets: Uint8Array, ip: number, dice: Dice, about: Ip): number {
  const protocol = about.isV4 ? PROTOCOL.icmp : PROTOCOL.icmpv6;
  return writeIp(octets, ip, { ...about, protocol }, plainShape(), dice, (icmp) => {
    const end = writePacket(octets, icmp + 8, about, plainShape(), dice);
    finishIcmp(octets, ip, icmp, end, about.isV4, about.isV4 ? 3 : 1, 3);
    return end;
  });
}
