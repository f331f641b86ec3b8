// `turnout services`: the command line's side of it.
import { choiceOf, isTrue, OUTPUT_FLAG, PLACE_HELP, type SubCommand, textOf } from '../sub-command.ts';

export const SERVICES: SubCommand = {
  name: 'services',
  summary: 'List the Services that are translated, with their endpoints.',
  description:
    'Lists every address and port that is translated: its Service, its endpoints, and its counters. ' +
    'Counters are those of a Service port in one IP family, through whichever address, and stand on its first line (in JSON, on each): ' +
    'ACTIVE is flows that are not closed and open sockets that connect() translated, DROPS packets dropped after their Service was known, BYTES those ' +
    'of flows in both directions; `turnout top` shows rates. External is an external or a load-balancer IP; * is any node-port address of this node. ' +
    `Reads the pinned maps, so it shows what the kernel does, whether or not the proxy is running. ${PLACE_HELP}`,
  examples: `Examples:
  turnout services
  turnout services -n kube-system --all-endpoints
  turnout services --output=json | jq '.[] | select(.endpoints == [])'
      Services without an endpoint to send to.`,
  flags: [
    OUTPUT_FLAG,
    { name: 'namespace', short: 'n', placeholder: 'NAME', help: 'Only Services of this namespace. (default: all)' },
    { name: 'all-endpoints', help: 'Print every endpoint, not only the first three.' },
  ],
  build: (context, flags) => ({
    kind: 'services',
    ...context,
    output: choiceOf(flags, 'output', ['table', 'json']),
    namespace: textOf(flags, 'namespace') ?? '',
    allEndpoints: isTrue(flags, 'all-endpoints'),
  }),
};
