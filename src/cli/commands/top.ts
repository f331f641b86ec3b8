// `turnout top`: the command line's side of it.
import type { FlagTexts } from '../../config/load-config.ts';
import { type EndpointFilter, parseEndpointFilter, parseServiceFilter, type ServiceFilter } from '../endpoint-filter.ts';
import {
  choiceOf,
  durationOf,
  isTrue,
  numberOf,
  OUTPUT_FLAG,
  PLACE_HELP,
  SERVICE_FLAG_HELP,
  type SubCommand,
  textsOf,
  usageError,
} from '../sub-command.ts';
import { TOP_ORDERS, type TopOrder } from '../traffic.ts';

export interface TopOptions {
  readonly by: TopOrder;
  readonly what: 'services' | 'backends';
  readonly intervalMs: number;
  /** Two samples, then the end. */
  readonly once: boolean;
  readonly output: 'table' | 'json';
  /** Null: what fits. */
  readonly limit: number | null;
  /** Of each list one must match; an empty one lets everything pass. */
  readonly services: readonly ServiceFilter[];
  readonly backends: readonly EndpointFilter[];
}

const DEFAULT_INTERVAL_MS = 2000;
const LEAST_INTERVAL_MS = 100;

export const TOP: SubCommand = {
  name: 'top',
  summary: 'Watch Services and endpoints by rate.',
  description:
    'Shows Services or their endpoints by what they do in a second, again and again; q ends it. ACTIVE is flows that are not closed and open sockets ' +
    'that connect() translated. Packets and octets are those of flows, both ways together, from the IP header on; translated sockets ' +
    'have none here, since their packets meet no program. CONNECTIONS and BYTES are totals since the Service came. Both families of a ' +
    'Service port are one row. Where the output is no terminal, each look is a block of lines. With --output=json each is an object ' +
    'on a line of its own: time, intervalSeconds, and services (or backends) with perSecond, active and totals. ' +
    `Reads the pinned maps, so it works whether or not the proxy is running. ${PLACE_HELP}`,
  examples: `Examples:
  turnout top
  turnout top --by=bytes --backends --service=default/web
      How the endpoints of one Service share its traffic.
  turnout top --once --interval=10s
      What went on in the next ten seconds.
  turnout top --once --output=json | jq '.services[] | select(.perSecond.rejects > 0) | .name'

A look in JSON (on one line; with --backends the list is backends, each with backend and without rejects and drops):
  {"time":"2026-11-21T16:18:15.292Z","intervalSeconds":2.001,"services":[
   {"namespace":"default","name":"web","portName":"http","port":80,"protocol":"TCP",
    "perSecond":{"connections":18.2,"packets":114.4,"bytes":6758.2,"rejects":0,"drops":0},"active":193,
    "totals":{"connections":5103,"requestPackets":20412,"requestBytes":1102248,"replyPackets":10206,
              "replyBytes":760347,"rejects":0,"drops":0}}]}`,
  flags: [
    {
      name: 'by',
      placeholder: TOP_ORDERS.join('|'),
      help: 'Most first: rate is new connections in a second, connections their total, the last four are in a second. (default: rate)',
    },
    { name: 'services', help: 'A row for each Service port. (default)' },
    { name: 'backends', help: 'A row for each endpoint of each Service port.' },
    { name: 'service', placeholder: 'NAMESPACE/NAME[:PORT]', help: SERVICE_FLAG_HELP },
    { name: 'backend', placeholder: 'ADDRESS|CIDR[:PORT]', help: 'Only these endpoints; goes with --backends.' },
    { name: 'interval', placeholder: 'DURATION', help: 'Time between two looks. (default: 2s)' },
    { name: 'once', help: 'Look twice, one interval apart, print that and end.' },
    {
      name: 'limit',
      placeholder: 'NUMBER',
      help: 'Show so many rows at most. (default: what fits; all where there is no terminal)',
    },
    OUTPUT_FLAG,
  ],
  build: (context, flags) => ({ kind: 'top', ...context, options: topOptions(flags) }),
};

function topOptions(flags: FlagTexts): TopOptions {
  const what = isTrue(flags, 'backends') ? 'backends' : 'services';
  const by = choiceOf(flags, 'by', TOP_ORDERS);
  if (what === 'backends') {
    if (isTrue(flags, 'services')) throw usageError('BAD_ARGUMENTS', '--services and --backends exclude each other');
    if (by === 'rejects' || by === 'drops') {
      throw usageError('BAD_ARGUMENTS', `--by=${by} does not go with --backends: what is refused had no endpoint yet`);
    }
  }
  const backends = textsOf(flags, 'backend').map((text) => parseEndpointFilter('backend', text));
  if (backends.length > 0 && what === 'services') throw usageError('BAD_ARGUMENTS', '--backend goes with --backends only');
  return {
    by,
    what,
    intervalMs: durationOf(flags, 'interval', LEAST_INTERVAL_MS) ?? DEFAULT_INTERVAL_MS,
    once: isTrue(flags, 'once'),
    output: choiceOf(flags, 'output', ['table', 'json']),
    limit: numberOf(flags, 'limit', 1),
    services: textsOf(flags, 'service').map((text) => parseServiceFilter('service', text)),
    backends,
  };
}
