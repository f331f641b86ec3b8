// A live flow as commands see it, and which flows somebody asked for. Addresses stay octets until a row is printed: of 131,072 flows
// few may be wanted.
import { isMapped } from '../state/ip.ts';
import {
  type EndpointFilter,
  matchesEndpoint,
  matchesService,
  type ServiceFilter,
  type ServiceIdentity,
} from './endpoint-filter.ts';

export type FlowProtocol = 'TCP' | 'UDP' | 'SCTP';

/** TCP and SCTP: syn to closed. UDP: unreplied or replied. */
export const FLOW_STATES = ['syn', 'established', 'closing', 'closed', 'unreplied', 'replied'] as const;
export type FlowState = (typeof FLOW_STATES)[number];

export interface FlowEnd {
  readonly address: Uint8Array; // 16 octets, IPv4 as ::ffff:a.b.c.d
  readonly port: number;
}

export interface Flow {
  readonly protocol: FlowProtocol;
  readonly client: FlowEnd;
  /** Where the client sent to. */
  readonly frontend: FlowEnd;
  readonly backend: FlowEnd;
  /** Who the backend sees; null: a masqueraded flow whose first packet has not left yet. */
  readonly source: FlowEnd | null;
  /** Null: its Service is gone, and with it the name; or isGuard. */
  readonly service: ServiceIdentity | null;
  readonly state: FlowState;
  /** A connection of the node itself, to no Service, that was given another port (bpf/guard.h). frontend and backend are who it talks to. */
  readonly isGuard: boolean;
  /** The backend has said something. */
  readonly isReplied: boolean;
  readonly isMasqueraded: boolean;
  /** The backend has left the Service. */
  readonly isStale: boolean;
  readonly ageSeconds: number;
  readonly idleSeconds: number;
  readonly requestPackets: number;
  readonly requestBytes: number;
  readonly replyPackets: number;
  readonly replyBytes: number;
}

/** Each filter is a list of which one must match; an empty one lets everything pass. */
export interface FlowFilter {
  readonly services: readonly ServiceFilter[];
  readonly clients: readonly EndpointFilter[];
  readonly frontends: readonly EndpointFilter[];
  readonly backends: readonly EndpointFilter[];
  readonly protocols: readonly FlowProtocol[];
  /** unreplied and replied are asked of every protocol. */
  readonly states: readonly FlowState[];
  readonly family: 'IPv4' | 'IPv6' | null;
  readonly masqueradedOnly: boolean;
  readonly staleOnly: boolean;
}

export function matchesFlow(filter: FlowFilter, flow: Flow): boolean {
  const { services, clients, frontends, backends, protocols, states, family } = filter;
  const { service } = flow;
  if (filter.masqueradedOnly && !flow.isMasqueraded) return false;
  if (filter.staleOnly && !flow.isStale) return false;
  if (protocols.length > 0 && !protocols.includes(flow.protocol)) return false;
  if (family !== null && familyOf(flow) !== family) return false;
  if (states.length > 0 && !states.some((state) => isInState(flow, state))) return false;
  if (services.length > 0 && !(service !== null && services.some((one) => matchesService(one, service)))) return false;
  return isAmong(clients, flow.client) && isAmong(frontends, flow.frontend) && isAmong(backends, flow.backend);
}

export const familyOf = ({ frontend }: Flow): 'IPv4' | 'IPv6' => (isMapped(frontend.address) ? 'IPv4' : 'IPv6');

function isInState(flow: Flow, state: FlowState): boolean {
  if (state === 'unreplied') return !flow.isReplied;
  if (state === 'replied') return flow.isReplied;
  return flow.state === state;
}

const isAmong = (filters: readonly EndpointFilter[], { address, port }: FlowEnd): boolean =>
  filters.length === 0 || filters.some((one) => matchesEndpoint(one, address, port));

export const FLOW_ORDERS = ['age', 'idle', 'packets', 'bytes'] as const;
export interface FlowOrder {
  readonly by: (typeof FLOW_ORDERS)[number];
  /** Least first. */
  readonly isReversed: boolean;
}

const MEASURES: Readonly<Record<FlowOrder['by'], (flow: Flow) => number>> = {
  age: (flow) => flow.ageSeconds,
  idle: (flow) => flow.idleSeconds,
  packets: (flow) => flow.requestPackets + flow.replyPackets,
  bytes: (flow) => flow.requestBytes + flow.replyBytes,
};

/** The first `limit` flows (null: all) by an order: oldest, longest silent, most packets, most octets first. */
export function sortFlows(flows: readonly Flow[], { by, isReversed }: FlowOrder, limit: number | null): Flow[] {
  const measure = MEASURES[by];
  const sign = isReversed ? 1 : -1;
  const sorted = flows.toSorted((a, b) => sign * (measure(a) - measure(b)));
  return limit === null ? sorted : sorted.slice(0, limit);
}
