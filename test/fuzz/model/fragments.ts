// Fragments (rule 10): the first of a datagram tells the ports of all, at each hook anew; one that comes to a Service before it waits.
import type { Direction } from './flows.ts';
import type { Headers } from './headers.ts';

/** What is known of a datagram. protocol 0: its first fragment has not come. */
interface Datagram {
  readonly protocol: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  held: Held | null; // of those that came before it, the last
}

interface Held {
  readonly key: string;
  readonly next: Held | null;
  isWaiting: boolean;
}

/** So many wait, the oldest makes room (enum LB_HELD_FRAGMENTS); none that is longer (LB_HELD_OCTETS); so many follow one first. */
const ROOM = 512;
const MOST_OCTETS = 1984;
const MOST_RELEASED = 48;

/** IPv6 datagrams are told by their id alone: only the first fragment says what stands behind its headers (RFC 8200 section 4.5). */
const keyOf = ({ isV4, protocol, fragmentId, source, destination }: Headers, direction: Direction): string =>
  `${direction} ${isV4 ? protocol : 0} ${fragmentId} ${source}${destination}`;

export class Fragments {
  readonly #datagrams = new Map<string, Datagram>();
  readonly #ring: (Held | undefined)[] = [];
  #held = 0;

  /** A first fragment. How many wait for it: they and it come in once more. */
  note(headers: Headers, direction: Direction): number {
    const { protocol, sourcePort, destinationPort } = headers;
    const key = keyOf(headers, direction);
    const before = this.#datagrams.get(key);
    this.#datagrams.set(key, { protocol, sourcePort, destinationPort, held: null });
    let released = 0;
    for (let one = before?.protocol === 0 ? before.held : null; one?.isWaiting && released < MOST_RELEASED; one = one.next) {
      one.isWaiting = false;
      released++;
    }
    return released;
  }

  /** Fills in what the first fragment said. False: it has not come. */
  fill(headers: Headers, direction: Direction): boolean {
    const datagram = this.#datagrams.get(keyOf(headers, direction));
    if (!datagram?.protocol) return false;
    headers.protocol = datagram.protocol;
    headers.sourcePort = datagram.sourcePort;
    headers.destinationPort = datagram.destinationPort;
    return true;
  }

  /** Puts a fragment aside. 'lost': it is too long; 'displaced': it waits in the place of one that waited in vain. */
  hold(headers: Headers, length: number): 'held' | 'displaced' | 'lost' {
    const key = keyOf(headers, 'in');
    const datagram = this.#datagrams.get(key) ?? { protocol: 0, sourcePort: 0, destinationPort: 0, held: null };
    this.#datagrams.set(key, datagram);
    if (length > MOST_OCTETS) return 'lost';
    const place = this.#held++ % ROOM;
    const displaced = this.#ring[place];
    const isDisplaced = displaced?.isWaiting ?? false;
    if (displaced) displaced.isWaiting = false;
    const held = { key, next: datagram.held, isWaiting: true };
    this.#ring[place] = held;
    datagram.held = held;
    return isDisplaced ? 'displaced' : 'held';
  }

  clear(): void {
    this.#datagrams.clear();
    this.#ring.length = 0;
    this.#held = 0;
  }
}
