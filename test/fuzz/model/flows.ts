// The model's flow table: what design.md section 1 says of flows and their rewrite entries. Whole flows come and go.
import type { Address } from './address.ts';
import type { Backend } from './services.ts';

export type Direction = 'in' | 'out';

/**
 * The packets of a flow by hook. request: the client's, at ingress. answer: the backend's, at egress. forward: the masqueraded
 * client's, at egress. return: the backend's to our source, at ingress. steer: the backend's on the same bridge, at ingress.
 */
export type Role = 'request' | 'answer' | 'forward' | 'return' | 'steer';

export interface Tuple {
  readonly source: Address;
  readonly sourcePort: number;
  readonly destination: Address;
  readonly destinationPort: number;
}

/** What else a flow has is said by which of its five kinds of packets are known. */
export class Flow {
  readonly keys = new Map<Role, string>();
  index = -1; // in FlowTable.all
  source: Address | null = null; // of ours, once it is resolved
  sourcePort = 0;
  /** Who hung up last. */
  resetBy: 'client' | 'backend' | null = null;
  clientHasEnded = false;
  backendHasEnded = false;

  readonly isV4: boolean;
  readonly protocol: number;
  readonly client: Address;
  readonly clientPort: number;
  readonly frontend: Address;
  readonly frontendPort: number;
  readonly backend: Backend;
  readonly stackPort: number; // the client's port between the hooks (rule 5)
  readonly isMasqueraded: boolean;
  /** A connection of the node itself that only needed another port (rule 6): it has no Service, so neither requests nor answers. */
  readonly isGuard: boolean;

  constructor(
    { source, sourcePort, destination, destinationPort }: Tuple,
    rest: Pick<Flow, 'isV4' | 'protocol' | 'backend' | 'stackPort' | 'isMasqueraded'> & { readonly isGuard?: boolean },
  ) {
    this.isV4 = rest.isV4;
    this.protocol = rest.protocol;
    this.client = source;
    this.clientPort = sourcePort;
    this.frontend = destination;
    this.frontendPort = destinationPort;
    this.backend = rest.backend;
    this.stackPort = rest.stackPort;
    this.isMasqueraded = rest.isMasqueraded;
    this.isGuard = rest.isGuard ?? false;
  }

  /** Both ends have said goodbye, or one has hung up. */
  get isClosed(): boolean {
    return this.resetBy !== null || (this.clientHasEnded && this.backendHasEnded);
  }

  /** The packets of this role before they are rewritten; null: there are none (yet). */
  tuple(role: Role): Tuple | null {
    const { client, clientPort, frontend, frontendPort, backend, stackPort, source, sourcePort } = this;
    switch (role) {
      case 'request':
        return { source: client, sourcePort: clientPort, destination: frontend, destinationPort: frontendPort };
      case 'answer':
      case 'steer':
        return { source: backend.address, sourcePort: backend.port, destination: client, destinationPort: stackPort };
      case 'forward':
        return { source: client, sourcePort: stackPort, destination: backend.address, destinationPort: backend.port };
      case 'return':
        return source === null
          ? null
          : { source: backend.address, sourcePort: backend.port, destination: source, destinationPort: sourcePort };
    }
  }
}

export const DIRECTION: Readonly<Record<Role, Direction>> = {
  request: 'in',
  answer: 'out',
  forward: 'out',
  return: 'in',
  steer: 'in',
};

export function keyOf(
  direction: Direction,
  protocol: number,
  { source, sourcePort, destination, destinationPort }: Tuple,
): string {
  return direction + String.fromCharCode(protocol, sourcePort, destinationPort) + source + destination;
}

export interface Match {
  readonly flow: Flow;
  readonly role: Role;
}

export class FlowTable {
  /** In no order that means anything. */
  readonly all: Flow[] = [];
  readonly #entries = new Map<string, Match>();

  find(key: string): Match | null {
    return this.#entries.get(key) ?? null;
  }

  /** Can a flow have this key? Not while another that is not over has it. */
  isFree(key: string): boolean {
    const taken = this.#entries.get(key);
    return taken === undefined || taken.flow.isClosed;
  }

  add(flow: Flow): void {
    flow.index = this.all.push(flow) - 1;
  }

  /** Takes a key that is free; a flow that is over makes room. */
  claim(flow: Flow, role: Role, tuple: Tuple): void {
    const key = keyOf(DIRECTION[role], flow.protocol, tuple);
    const taken = this.#entries.get(key);
    if (taken) this.release(taken.flow);
    this.#entries.set(key, { flow, role });
    flow.keys.set(role, key);
  }

  /** Whole flows go, never halves (rule 7). */
  release(flow: Flow): void {
    for (const key of flow.keys.values()) this.#entries.delete(key);
    flow.keys.clear();
    if (flow.index < 0) return;
    const last = this.all.pop()!;
    if (last !== flow) {
      this.all[flow.index] = last;
      last.index = flow.index;
    }
    flow.index = -1;
  }

  clear(): void {
    this.all.length = 0;
    this.#entries.clear();
  }
}
