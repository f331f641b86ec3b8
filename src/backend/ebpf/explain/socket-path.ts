// What connect() would be given, by the function that the socket programs decide with; and what of it depends on the process.
import type { ExplainedService, ExplainQuestion, SocketAnswer } from '../../../cli/explain-report.ts';
import { addressOctets, endpointText } from '../../../datapath/address.ts';
import {
  type ExplainSocket,
  FrontendFlag,
  LB_EXPLAIN_SOCKET_SIZE,
  readExplainSocket,
  SocketPath,
  SocketVerdict,
  writeExplainSocket,
} from '../../../datapath/layout.gen.ts';
import { PROTOCOL_NUMBERS } from '../rows.ts';
import type { Client } from './client.ts';
import type { PrivateDatapath } from './private-datapath.ts';
import { numberOf, type RunningPrograms } from './running-programs.ts';

const NOBODY = new Uint8Array(16);

/** A process of the node may be bound to an address; of a pod's nothing is known, so it is taken as most are: not bound. */
export function askSocket(datapath: PrivateDatapath, question: ExplainQuestion, client: Client): ExplainSocket {
  const bytes = new Uint8Array(LB_EXPLAIN_SOCKET_SIZE);
  writeExplainSocket(bytes, 0, {
    destination: addressOctets(question.destination),
    bound: client.kind === 'node' && question.source !== 'node' ? addressOctets(question.source) : NOBODY,
    port: question.port,
    protocol: PROTOCOL_NUMBERS[question.protocol] ?? 0,
    isHost: client.kind === 'node' ? 1 : 0,
    verdict: 0,
    backend: { address: NOBODY, port: 0, flags: 0, serviceId: 0, backendId: 0, generation: 0 },
    serviceId: 0,
    flags: 0,
  });
  return readExplainSocket(datapath.askSocket(bytes));
}

export function socketBackend({ verdict, backend }: ExplainSocket): string {
  return verdict === SocketVerdict.LB_SOCKET_GIVEN ? endpointText(backend) : '';
}

/** Why no socket program is asked about this client; '' : one is. */
export function whyNoSocketPath(question: ExplainQuestion, client: Client, running: RunningPrograms, isService: boolean): string {
  if (!isService) return 'No Service: connect() goes where it is asked to.';
  if (!client.isLocal) return 'The client is not on this node, so its connect() is none of ours.';
  if (!running.hasSocketPrograms) return 'No socket is translated on this node (--ebpf-socket-path=off): packets are.';
  if (question.protocol === 'SCTP') return 'connect() is translated for TCP and UDP only; SCTP by its packets.';
  const isAll = numberOf(running.variables, 'cfg_socket_path') === SocketPath.LB_SOCKET_PATH_ALL;
  if (question.protocol === 'UDP' && client.kind !== 'node' && !isAll) {
    return 'UDP of pods is left to the packet path (--ebpf-socket-path=tcp; all would translate it).';
  }
  return '';
}

export function socketAnswer(
  asked: ExplainSocket,
  context: {
    readonly client: Client;
    readonly service: ExplainedService | null;
    readonly running: RunningPrograms;
    readonly endpoints: readonly string[]; // addresses of the candidates
  },
): SocketAnswer {
  const { client, service, running, endpoints } = context;
  const backend = socketBackend(asked);
  const { LB_SOCKET_GIVEN, LB_SOCKET_TURNED_AWAY, LB_SOCKET_LEFT } = SocketVerdict;
  switch (asked.verdict) {
    case LB_SOCKET_GIVEN:
      if (client.kind !== 'node' && endpoints.includes(client.source)) {
        const text =
          "The pod is an endpoint itself. While it listens on the endpoint's port, its connect() is left to the packet path: it may reach itself.";
        return { outcome: 'left', backend: '', text };
      }
      return {
        outcome: 'translated',
        backend,
        text: `Translated at connect() to ${backend}; no packet is touched.${exceptions(asked, client, running)}`,
      };
    case LB_SOCKET_TURNED_AWAY:
      return {
        outcome: 'refused',
        backend: '',
        text: `connect() fails at once with ECONNREFUSED.${exceptions(asked, client, running)}`,
      };
    case LB_SOCKET_LEFT:
      return { outcome: 'left', backend: '', text: `Left to the packet path: ${whyLeft(asked, client, service, running)}.` };
    default:
      return { outcome: 'none', backend: '', text: 'No Service: connect() goes where it is asked to.' };
  }
}

/** What of the answer depends on the process. */
function exceptions({ flags }: ExplainSocket, client: Client, running: RunningPrograms): string {
  const parts: string[] = [];
  if (numberOf(running.variables, 'cfg_excludes_cgroups') !== 0)
    parts.push('processes in a cgroup of --ebpf-socket-path-exclude');
  if (client.kind !== 'node' && flags & FrontendFlag.LB_FRONTEND_HAS_LOCAL)
    parts.push("pods that listen on the endpoint's port themselves");
  if (client.kind !== 'node') parts.push('sockets bound to an address outside of the pod range');
  return parts.length === 0 ? '' : ` Left to the packet path all the same: ${parts.join('; ')}.`;
}

function whyLeft({ flags }: ExplainSocket, client: Client, service: ExplainedService | null, running: RunningPrograms): string {
  const isPod = client.kind !== 'node';
  if (isPod && numberOf(running.variables, 'cfg_masquerade_all') !== 0)
    return 'everything is to be masqueraded (--masquerade-all)';
  if (isPod && flags & FrontendFlag.LB_FRONTEND_EXTERNAL)
    return 'what a pod sends to an external frontend may have to be masqueraded';
  if (isPod && flags & FrontendFlag.LB_FRONTEND_AFFINITY)
    return "sessionAffinity goes by the pod's address, which connect() does not know yet";
  if (!isPod && client.source !== '' && /^(127\.|::1$)/.test(client.source)) return 'the socket is bound to a loopback address';
  if (flags & FrontendFlag.LB_FRONTEND_SOURCE_RANGES)
    return 'the source decides (loadBalancerSourceRanges), and the packet tells it';
  if (service?.policy === 'Local')
    return 'no endpoint of this node may be used, and a silent drop is no answer that connect() can give';
  return 'the packet decides';
}
