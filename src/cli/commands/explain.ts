// `turnout explain`: the command line's side of it.
import { canonicalIp } from '../../state/ip.ts';
import type { ExplainQuestion } from '../explain-report.ts';
import { choiceOf, OUTPUT_FLAG, PLACE_HELP, type SubCommand, textOf, usageError } from '../sub-command.ts';

const USAGE = 'write it as: turnout explain 10.244.1.5 10.96.0.10:53/UDP   (or [fd00::1]:80/TCP; SRC may be "node")';
const TARGET = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})(?:\/(\w+))?$/;

export const EXPLAIN: SubCommand = {
  name: 'explain',
  summary: 'Say what becomes of a connection, and why.',
  description:
    'Sends the first packet of a connection from SRC to DST:PORT through the programs in force, in private, and says what they made of it: ' +
    'which Service, which endpoints and why these, masqueraded or not, translated when the socket connects or when its packet passes, ' +
    'refused or dropped and what to do about it. Nothing is sent and nothing is left behind: no flow, no affinity, no port, no count. ' +
    'SRC is the address of a pod, of a client, or "node" for a process of the node itself. What firewalls and NetworkPolicy make of it ' +
    `on the way is not asked; \`turnout doctor\` looks at those. ${PLACE_HELP}`,
  examples: `Examples:
  turnout explain 10.244.1.5 10.96.0.10:53/UDP
      Which endpoint does the pod's question to DNS go to?
  turnout explain 203.0.113.9 192.0.2.11:30080/TCP --device=eth0
      What happens to a client from outside at a node port of this node?
  turnout explain node [fd00:10:96::a]:443/TCP
      And to a process of the node?
  turnout explain 10.244.1.5 10.96.0.10:80/TCP --source-port=41000 --output=json
      A connection that exists: its port is given.`,
  operands: 'SRC DST:PORT/PROTO',
  flags: [
    OUTPUT_FLAG,
    {
      name: 'source-port',
      placeholder: 'NUMBER',
      help: "The client's port; needed to ask about a flow that exists. (default: one that has no flow)",
    },
    { name: 'device', placeholder: 'NAME', help: 'Device by which the packet comes in. (default: where the route to SRC leads)' },
  ],
  isChange: true, // programs are loaded, though nothing comes of it
  build: (context, flags, operands) => ({
    kind: 'explain',
    ...context,
    output: choiceOf(flags, 'output', ['table', 'json']),
    question: questionOf(operands, textOf(flags, 'source-port') ?? '', textOf(flags, 'device') ?? ''),
  }),
};

function questionOf(operands: readonly string[], sourcePort: string, device: string): ExplainQuestion {
  const [source = '', target = '', ...rest] = operands;
  if (target === '' || rest.length > 0)
    throw usageError('BAD_ARGUMENTS', `turnout explain takes SRC and DST:PORT/PROTO, not "${operands.join(' ')}"`, USAGE);
  const [, inBrackets, plain, port = '', protocol = 'TCP'] = TARGET.exec(target) ?? [];
  const destination = canonicalIp(inBrackets ?? plain ?? '');
  if (destination === null) throw usageError('BAD_ARGUMENTS', `"${target}" is no DST:PORT/PROTO`, USAGE);
  return {
    source: sourceOf(source),
    sourcePort: sourcePort === '' ? 0 : portOf(sourcePort, '--source-port'),
    destination,
    port: portOf(port, target),
    protocol: protocolOf(protocol),
    device,
  };
}

function sourceOf(text: string): string {
  const address = text === 'node' ? text : canonicalIp(text.replace(/^\[(.*)\]$/, '$1'));
  if (address !== null) return address;
  throw usageError('BAD_ARGUMENTS', `"${text}" is no SRC: neither an address nor "node"`, USAGE);
}

function protocolOf(text: string): ExplainQuestion['protocol'] {
  const protocol = (['TCP', 'UDP', 'SCTP'] as const).find((one) => one === text.toUpperCase());
  if (protocol !== undefined) return protocol;
  throw usageError('BAD_ARGUMENTS', `"${text}" is no protocol of Services: TCP, UDP or SCTP`, USAGE);
}

function portOf(text: string, what: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port >= 1 && port <= 65535) return port;
  throw usageError('BAD_ARGUMENTS', `${what}: "${text}" is no port from 1 to 65535`, USAGE);
}
