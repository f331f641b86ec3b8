// Live flows as `turnout flows` shows them, from the pinned tables alone.
import { matchesService } from '../../cli/endpoint-filter.ts';
import { type Flow, type FlowEnd, type FlowFilter, matchesFlow, type FlowState as StateName } from '../../cli/flow.ts';
import { addressText } from '../../datapath/address.ts';
import { viewOf } from '../../datapath/bytes.ts';
import { FlowFlag, type FlowState, LB_BACKEND_STATE_SIZE } from '../../datapath/layout.gen.ts';
import type { BpfMap } from '../../native/bpf-map.ts';
import { monotonicNs } from '../../native/system.ts';
import { isAlias } from './host-aliases.ts';
import { isClosed, LiveFlows } from './live-flows.ts';
import { requireFolder, type Tables, withTables } from './pinned-tables.ts';
import { protocolName } from './rows.ts';
import { isCanary, readServices, SERVICE_TABLES, type ServiceUnit } from './service-directory.ts';
import { keyText } from './service-tables.ts';
import { countSockets } from './traffic-totals.ts';

const FLOW_TABLES = [...SERVICE_TABLES, 'flow_states', 'host_aliases'] as const;

const CLOSING = FlowFlag.LB_FLOW_CLIENT_FIN | FlowFlag.LB_FLOW_BACKEND_FIN;

export interface FlowsView {
  readonly flows: readonly Flow[];
  /** Sockets of the Services asked for that connect() translated: they have no flow. */
  readonly socketsOpen: number;
}

/** Throws ENODATAPATH where none is installed. */
export function viewFlows(bpffsRoot: string, filter: FlowFilter): FlowsView {
  const { services } = filter;
  const isAsked = (service: ServiceUnit): boolean =>
    services.length === 0 || services.some((one) => matchesService(one, service));
  return withTables(requireFolder(bpffsRoot), FLOW_TABLES, (opened) => ({
    flows: readFlows(opened, monotonicNs(), (flow) => matchesFlow(filter, flow)),
    socketsOpen: countSockets(opened, isAsked),
  }));
}

/** Flows that `accepts` takes. nowNs: CLOCK_MONOTONIC. */
export function readFlows(opened: Tables, nowNs: bigint, accepts: (flow: Flow) => boolean): Flow[] {
  const services = readServices(opened);
  const generations = viewOf(opened.map('backend_states').mmap());
  const aliases = new HostNames(opened.map('host_aliases'));
  const flows: Flow[] = [];
  for (const state of new LiveFlows(opened.map('flow_states')).flows()) {
    const generation = generations.getUint32(state.backendId * LB_BACKEND_STATE_SIZE, true);
    const service = services.get(state.serviceId) ?? null;
    if (isCanary(service)) continue;
    const flow = flowOf(state, { service, generation, aliases, nowNs });
    if (flow !== null && accepts(flow)) flows.push(flow);
  }
  return flows;
}

interface Surroundings {
  readonly service: ServiceUnit | null;
  readonly generation: number; // of its endpoint, now
  readonly aliases: Pick<HostNames, 'nameOf'>;
  readonly nowNs: bigint;
}

/** One row in a person's terms; null for a protocol of a newer datapath. */
export function flowOf(state: FlowState, { service, generation, aliases, nowNs }: Surroundings): Flow | null {
  const { flags } = state;
  const protocol = protocolName(state.protocol);
  if (protocol === null) return null;
  const client = { address: aliases.nameOf(state.client), port: state.clientPort };
  const isGuard = (flags & FlowFlag.LB_FLOW_GUARD) !== 0;
  const backend = { address: state.backend, port: state.backendPort };
  const isOwnAddress = (flags & FlowFlag.LB_FLOW_OWN_ADDRESS) !== 0;
  return {
    protocol,
    client,
    frontend: isGuard ? backend : { address: state.frontend, port: state.frontendPort },
    backend,
    source: sourceOf(state, client),
    service,
    state: stateOf(state),
    isGuard,
    isReplied: (flags & FlowFlag.LB_FLOW_REPLIED) !== 0,
    isMasqueraded: (flags & FlowFlag.LB_FLOW_MASQUERADE) !== 0 && !isOwnAddress,
    isStale: !isGuard && generation !== state.backendGeneration,
    ageSeconds: secondsSince(state.startedNs, nowNs),
    idleSeconds: secondsSince(state.lastSeenNs, nowNs),
    requestPackets: Number(state.requestPackets),
    requestBytes: Number(state.requestBytes),
    replyPackets: Number(state.replyPackets),
    replyBytes: Number(state.replyBytes),
  };
}

/** As bpf/flow.h tells them apart. */
function stateOf({ flags, protocol }: FlowState): StateName {
  if (protocolName(protocol) === 'UDP') return flags & FlowFlag.LB_FLOW_REPLIED ? 'replied' : 'unreplied';
  if (isClosed(flags)) return 'closed';
  if (!(flags & FlowFlag.LB_FLOW_ESTABLISHED)) return 'syn';
  return flags & CLOSING ? 'closing' : 'established';
}

function sourceOf(state: FlowState, client: FlowEnd): FlowEnd | null {
  if (state.flags & FlowFlag.LB_FLOW_SNAT) return { address: state.source, port: state.sourcePort };
  if (state.flags & FlowFlag.LB_FLOW_MASQUERADE) return null;
  return { address: client.address, port: state.stackPort };
}

/** The programs' clock is coarse: a flow may have begun a moment from now. */
const secondsSince = (thenNs: bigint, nowNs: bigint): number => Math.max(0, Number(nowNs - thenNs) / 1e9);

/** The node's own addresses, which have an alias on the host's port (bpf/hook_host.h). */
export class HostNames {
  readonly #addresses = new Map<string, Uint8Array>();

  constructor(hostAliases: BpfMap) {
    const { count, keys, values } = hostAliases.getBatch();
    for (let i = 0; i < count; i++) {
      const key = keys.slice(i * 16, (i + 1) * 16);
      if (isAlias(addressText(key))) this.#addresses.set(keyText(key), values.slice(i * 16, (i + 1) * 16));
    }
  }

  /** The address behind an alias; any other address is itself. */
  nameOf(address: Uint8Array): Uint8Array {
    // The first octets of both networks of aliases: 169 behind ::ffff:, and fd.
    const isLikely = address[0] === 0xfd || address[12] === 169;
    return !isLikely || this.#addresses.size === 0 ? address : (this.#addresses.get(keyText(address)) ?? address);
  }
}
