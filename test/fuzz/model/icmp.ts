// ICMP about flows (rule 4): errors reach the other end in words that it knows; redirects about flows end on their way out.
import { type Address, addressAt } from './address.ts';
import { Difference } from './checksum.ts';
import { DIRECTION, type Direction, type FlowTable, keyOf, type Match, type Role, type Tuple } from './flows.ts';
import { type Headers, isExtension, L2, MOST_EXTENSIONS, PROTOCOL, word } from './headers.ts';
import { addressField, replaceAddress } from './rewrite.ts';

/** The packet inside a message, as far as it is there. */
interface Inner extends Tuple {
  readonly ip: number;
  readonly l4: number;
  readonly protocol: number;
}

const V4_ERRORS: readonly number[] = [3, 4, 11, 12]; // RFC 792: unreachable, source quench, time exceeded, parameter problem
const V6_ERRORS: readonly number[] = [1, 2, 3, 4]; // RFC 4443: unreachable, too big, time exceeded, parameter problem

export function isError(frame: Uint8Array, { isV4, l4 }: Headers): boolean {
  return l4 < frame.length && (isV4 ? V4_ERRORS : V6_ERRORS).includes(frame[l4]!);
}

/** Null: cut before its ports, a later fragment, malformed, or of a protocol without ports. */
function readInner(frame: Uint8Array, ip: number, isV4: boolean): Inner | null {
  const fixed = isV4 ? 20 : 40;
  if (ip + fixed > frame.length || frame[ip]! >> 4 !== (isV4 ? 4 : 6)) return null;
  const upper = isV4 ? upperV4(frame, ip) : upperV6(frame, ip);
  if (!upper) return null;
  const { protocol, l4 } = upper;
  const hasPorts = protocol === PROTOCOL.tcp || protocol === PROTOCOL.udp || protocol === PROTOCOL.sctp;
  if (!hasPorts || l4 + 4 > frame.length) return null;
  const source = addressAt(frame, addressField(isV4, 'source', ip), isV4);
  const destination = addressAt(frame, addressField(isV4, 'destination', ip), isV4);
  return { ip, l4, protocol, source, destination, sourcePort: word(frame, l4), destinationPort: word(frame, l4 + 2) };
}

interface Upper {
  readonly protocol: number;
  readonly l4: number;
}

function upperV4(frame: Uint8Array, ip: number): Upper | null {
  const words = frame[ip]! & 15;
  if (words < 5 || (word(frame, ip + 6) & 0x1fff) !== 0) return null;
  return { protocol: frame[ip + 9]!, l4: ip + words * 4 };
}

/** As many extension headers as in a packet of its own; each has eight octets at least. */
function upperV6(frame: Uint8Array, ip: number): Upper | null {
  let protocol = frame[ip + 6]!;
  let l4 = ip + 40;
  for (let count = 0; count < MOST_EXTENSIONS && isExtension(protocol); count++) {
    if (l4 + 8 > frame.length) return null;
    const isFragment = protocol === PROTOCOL.fragment;
    if (isFragment && (word(frame, l4 + 2) & 0xfff8) !== 0) return null;
    protocol = frame[l4]!;
    l4 += isFragment ? 8 : 8 + frame[l4 + 1]! * 8;
  }
  return { protocol, l4 };
}

const turned = ({ source, sourcePort, destination, destinationPort }: Tuple): Tuple => ({
  ...{ source: destination, sourcePort: destinationPort, destination: source, destinationPort: sourcePort },
});

export interface Translation {
  readonly match: Match;
  readonly octets: Uint8Array;
}

/** Null: about none of our flows. */
export function translatedError(frame: Uint8Array, headers: Headers, direction: Direction, flows: FlowTable): Translation | null {
  if (!isError(frame, headers)) return null;
  const { isV4, l4 } = headers;
  const inner = readInner(frame, l4 + 8, isV4);
  if (!inner) return null;
  // It goes the way of the flow's packets in the other direction, and is about one of those as it was after our rewrite.
  const match = flows.find(keyOf(direction, inner.protocol, turned(inner)));
  const before = match && aboutBeforeRewrite(match);
  if (!before) return null;
  const octets = frame.slice();
  const covered = new Difference();
  const changes = direction === 'in' ? 'source' : 'destination';
  const address = before[changes];
  if (isV4) {
    const headerBefore = word(octets, inner.ip + 10);
    replaceAddress(octets, inner.ip, isV4, addressField(isV4, changes, inner.ip), address, covered);
    // The inner header's checksum is part of what ICMP's own covers.
    const headerAfter = word(octets, inner.ip + 10);
    octets[inner.ip + 10] = headerBefore >> 8;
    octets[inner.ip + 11] = headerBefore & 0xff;
    covered.replaceWord(octets, inner.ip + 10, headerAfter);
  } else replaceAddress(octets, inner.ip, isV4, addressField(isV4, changes, inner.ip), address, covered);
  covered.replaceWord(octets, inner.l4, before.sourcePort);
  covered.replaceWord(octets, inner.l4 + 2, before.destinationPort);
  replaceOuter(octets, headers, match.role, inner, address, covered);
  const checksum = covered.applyTo(word(octets, l4 + 2));
  octets[l4 + 2] = checksum >> 8;
  octets[l4 + 3] = checksum & 0xff;
  return { match, octets };
}

/**
 * In: it is for who sent the inner packet. Out to the client: it comes from a router, who stays, or from the backend, who is the frontend
 * there. Out to the backend of a masqueraded flow: it comes from us, as all that the backend hears.
 */
function replaceOuter(octets: Uint8Array, headers: Headers, role: Role, inner: Inner, to: Address, covered: Difference): void {
  const { isV4 } = headers;
  if (role === 'answer' && headers.source !== inner.destination) return;
  const field = addressField(isV4, DIRECTION[role] === 'in' ? 'destination' : 'source');
  // ICMPv6 has a pseudo header with the addresses, ICMP has none.
  replaceAddress(octets, L2, isV4, field, to, isV4 ? new Difference() : covered);
}

/** The inner packet before the rewrite that made it what the router saw; null where the flow's packets are not rewritten (yet). */
function aboutBeforeRewrite({ flow, role }: Match): Tuple | null {
  switch (role) {
    case 'request': // about an answer as the client got it
      return flow.tuple('answer');
    case 'answer': // about a request as the backend got it
      return flow.tuple('request');
    case 'forward': // about a return as the client's side got it
      return flow.tuple('return');
    case 'return': // about a forwarded request as the backend got it
      return flow.tuple('forward');
    case 'steer':
      return null;
  }
}

/** Where the packet inside a redirect begins; 0: this is no redirect. RFC 792; RFC 4861 sections 4.5 and 4.6.3. */
function redirectedPacket(frame: Uint8Array, { isV4, l4 }: Headers): number {
  if (l4 + 2 > frame.length) return 0;
  if (isV4) return frame[l4] === 5 ? l4 + 8 : 0;
  if (frame[l4] !== 137) return 0;
  let at = l4 + 40;
  for (let count = 0; count < 3; count++) {
    if (at + 2 > frame.length || frame[at + 1] === 0) return 0;
    if (frame[at] === 4) return at + 8;
    at += frame[at + 1]! * 8;
  }
  return 0;
}

export function isRedirectAboutFlow(frame: Uint8Array, headers: Headers, flows: FlowTable): boolean {
  const ip = redirectedPacket(frame, headers);
  const inner = ip > 0 ? readInner(frame, ip, headers.isV4) : null;
  if (!inner) return false;
  return [inner, turned(inner)].some((tuple) => flows.find(keyOf('out', inner.protocol, tuple)) !== null);
}
