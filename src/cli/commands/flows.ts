// `turnout flows`: the command line's side of it.
import type { FlagTexts } from '../../config/load-config.ts';
import { parseEndpointFilter, parseServiceFilter } from '../endpoint-filter.ts';
import { FLOW_ORDERS, FLOW_STATES, type FlowFilter, type FlowOrder, type FlowProtocol } from '../flow.ts';
import { FLOW_GROUPS, type FlowGroup, type FlowsOutput } from '../flows-table.ts';
import {
  choiceOf,
  choicesOf,
  isTrue,
  numberOf,
  PLACE_HELP,
  SERVICE_FLAG_HELP,
  type SubCommand,
  textOf,
  textsOf,
} from '../sub-command.ts';

export interface FlowsOptions {
  readonly filter: FlowFilter;
  readonly order: FlowOrder;
  /** Null: all. */
  readonly limit: number | null;
  /** Null: the flows themselves. */
  readonly group: FlowGroup | null;
  readonly output: FlowsOutput;
}

const PROTOCOLS: readonly [FlowProtocol, ...FlowProtocol[]] = ['TCP', 'UDP', 'SCTP'];

export const FLOWS: SubCommand = {
  name: 'flows',
  summary: 'List live flows: who talks to which endpoint, and how much.',
  description:
    'Lists the flows that the programs follow: connections of clients, and of pods and processes where the socket path left them to ' +
    'the packet path. Connections that connect() translated have no flow, since their packets meet no program; they are only counted. ' +
    'FRONTEND is where the client sent to, SOURCE who the endpoint sees (= the client itself). PACKETS and BYTES are to the endpoint ' +
    'and back, BYTES from the IP header on. STATE is syn, established, closing (one side said FIN) or closed of TCP and SCTP, unreplied ' +
    'or replied of UDP. SERVICE is ? once the Service is gone, and (none) of a ' +
    'connection of the node that only needed another port. A flow that is closed or silent for its timeout leaves the list. A filter may be given more than once: one of ' +
    'them must match. With --output=json one array is printed, with a flow on each line. ' +
    `Reads the pinned maps, so it works whether or not the proxy is running. ${PLACE_HELP}`,
  examples: `Examples:
  turnout flows --service=default/web
  turnout flows --client=10.244.1.0/24 --state=syn,unreplied
      What pods of one node asked, and nobody answered.
  turnout flows --sort=bytes --limit=20
      The largest twenty.
  turnout flows --backend=10.244.2.17:8080 --stale
      Who still talks to an endpoint that has left its Service.
  turnout flows --count
      Only numbers, for each Service; --count=backend, client or state.
  turnout flows --output=json | jq -r '.[] | select(.masqueraded) | .source.port'

A flow in JSON (on one line; source and service may be null):
  {"protocol":"TCP","family":"IPv4","client":{"address":"192.168.50.100","port":40000},
   "frontend":{"address":"192.168.50.11","port":30080},"backend":{"address":"10.244.1.10","port":8080},
   "source":{"address":"192.168.50.11","port":22396},
   "service":{"namespace":"default","name":"web","portName":"http","port":80},
   "state":"established","replied":true,"masqueraded":true,"stale":false,"guard":false,"ageSeconds":75.3,
   "idleSeconds":0.3,"requestPackets":9,"requestBytes":491,"replyPackets":6,"replyBytes":372}`,
  flags: [
    { name: 'service', placeholder: 'NAMESPACE/NAME[:PORT]', help: SERVICE_FLAG_HELP },
    {
      name: 'client',
      placeholder: 'ADDRESS|CIDR[:PORT]',
      help: 'Only flows from there. [ADDRESS]:PORT for IPv6, :PORT for any address.',
    },
    {
      name: 'frontend',
      placeholder: 'ADDRESS|CIDR[:PORT]',
      help: 'Only flows whose client sent there: a ClusterIP, a node port, ...',
    },
    { name: 'backend', placeholder: 'ADDRESS|CIDR[:PORT]', help: 'Only flows to there.' },
    { name: 'protocol', placeholder: 'TCP|UDP|SCTP', help: 'Only flows of these protocols, separated by commas.' },
    {
      name: 'state',
      placeholder: 'STATE[,STATE]',
      help: `Only flows in these states: ${FLOW_STATES.join(', ')}. The last two are asked of every protocol.`,
    },
    { name: 'family', placeholder: 'IPv4|IPv6', help: 'Only flows of this family.' },
    { name: 'masqueraded', help: 'Only flows whose source was replaced by an address of this node.' },
    { name: 'stale', help: 'Only flows whose endpoint has left the Service.' },
    {
      name: 'sort',
      placeholder: '[-]age|idle|packets|bytes',
      help: 'Most first; with - least first. (default: age)',
    },
    { name: 'limit', placeholder: 'NUMBER', help: 'Print so many at most. (default: all)' },
    {
      name: 'count',
      placeholder: FLOW_GROUPS.join('|'),
      isOptional: true,
      help: 'Print numbers instead of flows, grouped. (default: service)',
    },
    {
      name: 'output',
      short: 'o',
      placeholder: 'table|wide|json',
      help: 'How to print it: table for people, wide with exact numbers, json for programs. (default: table)',
    },
  ],
  build: (context, flags) => ({
    kind: 'flows',
    ...context,
    options: {
      filter: flowFilter(flags),
      order: flowOrder(flags),
      limit: numberOf(flags, 'limit', 1),
      group: flowGroup(flags),
      output: choiceOf(flags, 'output', ['table', 'wide', 'json']),
    },
  }),
};

function flowFilter(flags: FlagTexts): FlowFilter {
  const ends = (flag: string) => textsOf(flags, flag).map((text) => parseEndpointFilter(flag, text));
  const family = textOf(flags, 'family');
  return {
    services: textsOf(flags, 'service').map((text) => parseServiceFilter('service', text)),
    clients: ends('client'),
    frontends: ends('frontend'),
    backends: ends('backend'),
    protocols: choicesOf(flags, 'protocol', PROTOCOLS),
    states: choicesOf(flags, 'state', FLOW_STATES),
    family: family === null ? null : choiceOf(flags, 'family', ['IPv4', 'IPv6']),
    masqueradedOnly: isTrue(flags, 'masqueraded'),
    staleOnly: isTrue(flags, 'stale'),
  };
}

function flowOrder(flags: FlagTexts): FlowOrder {
  const text = textOf(flags, 'sort') ?? 'age';
  const isReversed = text.startsWith('-');
  const by = choiceOf(new Map([['sort', [isReversed ? text.slice(1) : text]]]), 'sort', FLOW_ORDERS);
  return { by, isReversed };
}

function flowGroup(flags: FlagTexts): FlowGroup | null {
  const text = textOf(flags, 'count');
  if (text === null || text === 'false') return null;
  return text === 'true' ? 'service' : choiceOf(flags, 'count', FLOW_GROUPS);
}
