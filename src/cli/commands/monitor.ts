// `turnout monitor`: the command line's side of it.
import type { FlagTexts } from '../../config/load-config.ts';
import { parseEndpointFilter, parseServiceFilter } from '../endpoint-filter.ts';
import { MONITOR_KINDS, type MonitorFilter, type MonitorKind } from '../monitor-event.ts';
import { REASONS } from '../reasons.ts';
import {
  type CommandFlag,
  choiceOf,
  choicesOf,
  durationOf,
  isTrue,
  numberOf,
  PLACE_HELP,
  SERVICE_FLAG_HELP,
  type SubCommand,
  textsOf,
  usageError,
} from '../sub-command.ts';

export interface MonitorOptions {
  readonly kinds: readonly MonitorKind[];
  readonly filter: MonitorFilter;
  readonly output: 'text' | 'json';
  /** Events to print before it ends; null: no limit. */
  readonly count: number | null;
  /** Null: until it is told to stop. */
  readonly durationMs: number | null;
}

const OUTPUT: CommandFlag = {
  name: 'output',
  short: 'o',
  placeholder: 'text|json',
  help: 'How to print it: a line for people, or an object on a line for programs. (default: text)',
};

export const MONITOR: SubCommand = {
  name: 'monitor',
  summary: 'Follow drops, rejects and new connections, with their reasons.',
  description:
    'Prints what happens as it happens: packets that are dropped, packets and connect() calls that are refused, flows that begin, and ' +
    'connect() calls that are translated (kind socket; who calls has no address yet). A line is: time, kind, reason, protocol, source -> ' +
    'frontend -> backend, device and hook, Service. What a reason means stands below the first event that has it. Programs tell ' +
    'events only while a monitor looks, so it costs nothing afterwards; there is one monitor at a time. What was too much, or not ' +
    'printed in time, is told by number. ' +
    `Works whether or not the proxy is running. ${PLACE_HELP}`,
  examples: `Examples:
  turnout monitor --drops --rejects
      What is refused, and why.
  turnout monitor --client=10.244.1.17 --service=default/web
      What one pod asks of one Service.
  turnout monitor --reason=no_flow --count=20
  turnout monitor --new --duration=10s --output=json | jq -r .service.name | sort | uniq -c
      Who gets new connections.

An event in JSON (on one line; reason, meaning and advice only where something was refused):
  {"time":"2026-11-21T16:20:32.110Z","kind":"reject","reason":"reject_sent","meaning":"The Service has no ...",
   "advice":"\`turnout services\` shows ...","protocol":"TCP","source":{"address":"192.168.50.100","port":56724},
   "frontend":{"address":"192.168.50.11","port":30081},"backend":null,"device":"eth0","hook":"ingress",
   "service":{"namespace":"default","name":"empty","portName":"http","port":80}}
  {"time":"2026-11-21T16:20:33.002Z","kind":"missed","count":132}`,
  flags: [
    { name: 'drops', help: 'Packets that are dropped. (default: every kind)' },
    { name: 'rejects', help: 'Packets answered by ICMP port unreachable, connect() calls refused.' },
    { name: 'new', help: 'Flows that begin, and connect() calls that are translated.' },
    { name: 'service', placeholder: 'NAMESPACE/NAME[:PORT]', help: SERVICE_FLAG_HELP },
    {
      name: 'client',
      placeholder: 'ADDRESS|CIDR[:PORT]',
      help: 'Only what comes from there; sockets without an address are left out.',
    },
    { name: 'reason', placeholder: 'REASON[,REASON]', help: `Only these reasons: ${Object.keys(REASONS).join(', ')}.` },
    { name: 'count', placeholder: 'NUMBER', help: 'End after so many events. (default: go on)' },
    { name: 'duration', placeholder: 'DURATION', help: 'End after this time. (default: go on)' },
    OUTPUT,
  ],
  build: (context, flags) => ({ kind: 'monitor', ...context, options: monitorOptions(flags) }),
};

function monitorOptions(flags: FlagTexts): MonitorOptions {
  const [first = '', ...rest] = Object.keys(REASONS);
  const reasons = choicesOf(flags, 'reason', [first, ...rest]);
  const kinds = kindsOf(flags);
  // Only what is refused has a reason.
  const [isNew, isRefused] = [kinds.includes('new'), kinds.includes('drop') || kinds.includes('reject')];
  if (reasons.length > 0 && isNew && !isRefused)
    throw usageError('BAD_ARGUMENTS', '--reason does not go with --new alone: what is new has no reason');
  return {
    kinds: reasons.length > 0 ? kinds.filter((kind) => kind === 'drop' || kind === 'reject') : kinds,
    filter: {
      services: textsOf(flags, 'service').map((text) => parseServiceFilter('service', text)),
      clients: textsOf(flags, 'client').map((text) => parseEndpointFilter('client', text)),
      reasons,
    },
    output: choiceOf(flags, 'output', ['text', 'json']),
    count: numberOf(flags, 'count', 1),
    durationMs: durationOf(flags, 'duration', 1),
  };
}

function kindsOf(flags: FlagTexts): readonly MonitorKind[] {
  const kinds: MonitorKind[] = [
    ...(isTrue(flags, 'drops') ? (['drop'] as const) : []),
    ...(isTrue(flags, 'rejects') ? (['reject'] as const) : []),
    ...(isTrue(flags, 'new') ? (['new', 'socket'] as const) : []),
  ];
  return kinds.length === 0 ? MONITOR_KINDS : kinds;
}
