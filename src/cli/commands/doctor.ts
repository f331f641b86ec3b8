// `turnout doctor`: the command line's side of it.
import { choiceOf, OUTPUT_FLAG, PLACE_HELP, type SubCommand, textOf, usageError } from '../sub-command.ts';

export const DOCTOR: SubCommand = {
  name: 'doctor',
  summary: 'Look for what may be wrong on this node, and say what to do.',
  description:
    'Walks the checks an operator would: the process and its hooks, Services and their endpoints, tables and refusals (two looks, a second ' +
    "apart), the node's forwarding, ports, conntrack, firewall and other programs. Findings are grouped by symptom, each with what was seen and " +
    'what to do. Changes nothing. Exit status 1 when there is a problem, 0 otherwise. ' +
    `${PLACE_HELP}`,
  examples: `Examples:
  turnout doctor
  turnout doctor --service=kube-system/kube-dns
      Of Services only this one, and more strictly: a Service without endpoints is a problem then.
  turnout doctor --output=json | jq '.[] | select(.severity == "problem")'`,
  flags: [
    OUTPUT_FLAG,
    { name: 'service', placeholder: 'NAMESPACE/NAME', help: 'Look at this Service, and be strict about it. (default: all)' },
  ],
  build: (context, flags) => ({
    kind: 'doctor',
    ...context,
    output: choiceOf(flags, 'output', ['table', 'json']),
    service: serviceOf(textOf(flags, 'service') ?? ''),
  }),
};

function serviceOf(text: string): string {
  if (text === '' || /^[^/]+\/[^/]+$/.test(text)) return text;
  throw usageError('BAD_ARGUMENTS', `--service: "${text}" must be NAMESPACE/NAME`);
}
