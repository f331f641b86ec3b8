// `turnout status`: the command line's side of it.
import { choiceOf, OUTPUT_FLAG, PLACE_HELP, type SubCommand } from '../sub-command.ts';

export const STATUS: SubCommand = {
  name: 'status',
  summary: 'Show whether the datapath is in force, and what it refused.',
  description:
    'Shows the version, the running process, where programs are attached, how full the tables are, and what was refused. ' +
    `Reads the pinned maps, so it works whether or not the proxy is running. ${PLACE_HELP}`,
  examples: `Examples:
  turnout status
  turnout status --output=json | jq .drops
  turnout status --ebpf-bpffs-root=/run/node-a/bpf
      The node whose proxy was started with that flag.`,
  flags: [OUTPUT_FLAG],
  build: (context, flags) => ({ kind: 'status', ...context, output: choiceOf(flags, 'output', ['table', 'json']) }),
};
