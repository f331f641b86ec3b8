// `turnout explain` for people: who, to what, the answer, then how it came to it.

import { hostPort } from '../state/ip.ts';
import type { OutputFormat } from './command.ts';
import type { ExplainedCandidates, ExplainReport } from './explain-report.ts';
import { formatTable } from './table.ts';

const WIDTH = 100;
const LABEL = 14;

/** With a final newline. */
export function formatExplain(report: ExplainReport, output: OutputFormat): string {
  if (output === 'json') return `${JSON.stringify({ ...report, answer: answerText(report) }, null, 2)}\n`;
  const { question, client, socket, packet } = report;
  const port = question.sourcePort === 0 ? '' : ` port ${question.sourcePort}`;
  const source = question.source === 'node' ? 'node' : `${question.source}${port}`;
  const sections = [
    [
      item('From', `${source}: ${client.text}`),
      item('To', `${hostPort(question.destination, question.port)}/${question.protocol}`),
      item('Service', serviceText(report)),
      item('Rule', report.rule),
    ],
    [item('Answer', answerText(report))],
    [
      item('Socket path', socket.text),
      item('Packet path', packetText(report)),
      item('What to do', packet.advice),
      item('Affinity', report.affinity),
      item('Flows', report.flow),
      ...report.notes.map((note) => item('Note', note)),
    ],
    report.candidates ? [candidatesText(report.candidates)] : [],
  ];
  return sections
    .map((section) => section.join(''))
    .filter((section) => section !== '')
    .join('\n');
}

/** One sentence: what becomes of the connection. */
export function answerText({ socket, packet, candidates }: ExplainReport): string {
  // An endpoint that every run gave is no matter of chance: the only one, the client's own, or that of its flow.
  const possible = candidates?.rows.filter(({ chosen }) => chosen > 0).length ?? 0;
  const to = (backend: string): string => (possible > 1 ? `one of ${possible} endpoints, by chance` : backend);
  if (socket.outcome === 'translated') return `Goes to ${to(socket.backend)}, by the socket path.`;
  if (socket.outcome === 'refused') return 'Refused at once: connect() says ECONNREFUSED, since there is no endpoint.';
  switch (packet.outcome) {
    case 'translated': {
      const who = packet.isMasqueraded ? `masqueraded as ${packet.seenSource}` : 'not masqueraded';
      return `Goes to ${to(packet.backend)}, by the packet path, ${possible > 1 ? `this time to ${packet.backend}, ` : ''}${who}.`;
    }
    case 'rejected':
      return `Rejected (${packet.reason}): the client is told by ICMP port unreachable.`;
    case 'dropped':
      return `Dropped in silence (${packet.reason}).`;
    case 'passed':
      return 'Passes untouched: turnout does nothing to it.';
    case 'unseen':
      return 'Not translated: no hook sees such packets.';
  }
}

function serviceText({ service }: ExplainReport): string {
  if (!service) return 'none';
  const parts = [
    `${service.namespace}/${service.name}${service.portName === '' ? '' : ` port ${service.portName}`}`,
    { ClusterIP: 'ClusterIP', ExternalIP: 'external or load-balancer IP', NodePort: 'node port' }[service.frontend],
    `${service.policyName} ${service.policy}`,
    ...(service.affinitySeconds > 0 ? [`sessionAffinity ClientIP for ${service.affinitySeconds} s`] : []),
    ...(service.hasSourceRanges ? ['with loadBalancerSourceRanges'] : []),
  ];
  return parts.join(', ');
}

function packetText({ packet, socket }: ExplainReport): string {
  const isAsked = packet.outcome !== 'unseen' && (socket.outcome === 'translated' || socket.outcome === 'refused');
  const otherwise = isAsked ? 'A packet, would it come: ' : '';
  const enters = packet.enters === '' ? '' : `comes in by ${packet.enters}. `;
  const text = `${otherwise}${enters}${packet.text}`;
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function candidatesText({ list, why, rows, runs, leftOut }: ExplainedCandidates): string {
  const chosen = (count: number): string => (runs === 0 ? '-' : `${count} of ${runs}`);
  const lines = [
    ...rows.map((row) => [row.endpoint, row.isLocal ? 'this node' : 'another node', chosen(row.chosen)]),
    ...leftOut.map(({ endpoint, why: reason }) => [endpoint, `left out: ${reason}`, '']),
  ];
  const head = item('Candidates', `${rows.length || 'none'}, the ${list} list: ${why}.`);
  return lines.length === 0 ? head : `${head}${formatTable(['ENDPOINT', 'WHERE', 'CHOSEN'], lines, { indent: 2 })}`;
}

/** A label and a text beside it, wrapped. Nothing for an empty text. */
function item(label: string, text: string): string {
  if (text === '') return '';
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > WIDTH - LABEL) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines.map((one, i) => `${(i === 0 ? label : '').padEnd(LABEL)}${one}\n`).join('');
}
