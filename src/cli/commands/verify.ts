// `turnout verify`: the command line's side of it.
import { choiceOf, OUTPUT_FLAG, type SubCommand } from '../sub-command.ts';

export const VERIFY: SubCommand = {
  name: 'verify',
  summary: 'Compare the kernel with what should be in it, and put right what differs.',
  description:
    'Asks the running proxy to compare every table and every link with what it has programmed, to send a canary ' +
    'through each hook that can be proven so, and to look for blind spots. What differs is put right, counted and logged. ' +
    'The exit status is 1 when something was wrong, also when it is put right by now. The proxy does the same on its own ' +
    '(--ebpf-verify-period); `turnout status` shows what it found. Needs root.',
  examples: `Examples:
  turnout verify
  turnout verify --output=json | jq .problems
  turnout verify >/dev/null || echo 'somebody touched the datapath'`,
  flags: [OUTPUT_FLAG],
  build: (context, flags) => ({ kind: 'verify', ...context, output: choiceOf(flags, 'output', ['table', 'json']) }),
};
