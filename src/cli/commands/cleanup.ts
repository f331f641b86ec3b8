// `turnout cleanup`: the command line's side of it.
import { PLACE_HELP, type SubCommand } from '../sub-command.ts';

export const CLEANUP: SubCommand = {
  name: 'cleanup',
  summary: 'Remove everything turnout put into the kernel.',
  description:
    'Detaches the programs and removes the pins, maps and rules of turnout, and nothing else. Connections through ' +
    'Services stop working. Removing what is not there is success. Stop the proxy first, or it puts all of it back. ' +
    PLACE_HELP,
  examples: `Examples:
  turnout cleanup
  turnout --cleanup
      The same, as kube-proxy spells it.`,
  flags: [],
  isChange: true,
  build: (context) => ({ kind: 'cleanup', ...context }),
};
