// Sends one flow, many times with fresh source ports, and says what is wrong with what came back; '' when nothing is.
import type { Outcome } from '../../lab/agent-protocol.ts';
import { hostPort } from '../../lab/agent-protocol.ts';
import { canonicalIp } from '../../src/state/ip.ts';
import type { CaseLab } from './case-lab.ts';
import type { Flow } from './flow-file.ts';

const TIMEOUT_MS = 5000;
const DROP_TIMEOUT_MS = 1500; // one SYN retransmit fits
const REFUSAL_TRIES = 4;

/** Missing one of n endpoints under even random choice then has a chance below n·e^-16. */
const triesFor = (endpoints: number): number => Math.ceil(endpoints * (Math.log(endpoints) + 16));

const addressOf = (endpoint: string): string => endpoint.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
const canonicalEndpoint = (endpoint: string): string => {
  const address = addressOf(endpoint);
  return hostPort(canonicalIp(address) ?? address, Number(/:(\d+)$/.exec(endpoint)?.[1]));
};

export async function sendFlow(lab: CaseLab, flow: Flow): Promise<string> {
  const { verdict, endpoints } = flow.expect;
  const isAnswered = verdict === 'dnat' || verdict === 'accept' || verdict === 'pass';
  const outcomes = await lab.senderOf(flow).agent.connect({
    protocol: flow.protocol,
    to: flow.to,
    port: flow.port,
    // A socket bound to 127.0.0.1 cannot be moved to another destination at connect(): see the data's README.
    ...(flow.origin !== 'loopback' && { from: canonicalIp(flow.from) ?? flow.from }),
    count: verdict === 'dnat' ? triesFor(endpoints.length) : REFUSAL_TRIES,
    timeoutMs: isAnswered || verdict === 'reject' ? TIMEOUT_MS : DROP_TIMEOUT_MS,
    concurrency: 16,
    // Nobody tells an unconnected socket that it was refused.
    udp: verdict === 'reject' ? 'connected' : 'both',
  });
  switch (verdict) {
    case 'dnat':
      return judgeDnat(outcomes, flow, lab.nodeAddresses);
    case 'reject':
      return judgeRefusal(outcomes, 'ECONNREFUSED');
    case 'drop':
      return judgeRefusal(outcomes, 'ETIMEDOUT');
    case 'accept':
    case 'pass':
      return judgePass(outcomes, flow);
  }
}

function judgeDnat(outcomes: readonly Outcome[], flow: Flow, nodeAddresses: readonly string[]): string {
  const wanted = new Set(flow.expect.endpoints.map(canonicalEndpoint));
  const seen = new Set<string>();
  const from = canonicalIp(flow.from) ?? flow.from;
  for (const outcome of outcomes) {
    if (!outcome.ok) return `${count(outcomes, (one) => !one.ok)}: ${outcome.error}`;
    seen.add(outcome.endpoint);
    if (!wanted.has(outcome.endpoint)) return `answered by ${outcome.endpoint}, which is none of ${[...wanted].join(', ')}`;
    if (nodeAddresses.includes(from) && flow.origin === 'node') continue; // a node address either way
    const source = addressOf(outcome.peer);
    const isHairpin = addressOf(outcome.endpoint) === from;
    const isMasqueraded = nodeAddresses.includes(source);
    if (isMasqueraded !== (flow.expect.masquerade || isHairpin)) {
      return `${outcome.endpoint} saw ${source}: ${isMasqueraded ? 'masqueraded, but should not be' : 'not masqueraded, but should be'}`;
    }
    if (!isMasqueraded && source !== from) return `${outcome.endpoint} saw ${source}, which is neither the sender nor the node`;
  }
  const missing = [...wanted].filter((endpoint) => !seen.has(endpoint));
  return missing.length > 0 ? `never chosen in ${outcomes.length} tries: ${missing.join(', ')}` : '';
}

function judgeRefusal(outcomes: readonly Outcome[], error: string): string {
  for (const outcome of outcomes) {
    if (outcome.ok) return `answered by ${outcome.endpoint} instead of ${error}`;
    if (outcome.error !== error) return `${outcome.error} instead of ${error}`;
  }
  return '';
}

/** Untouched: whoever answered was reached at the very address and port the sender named. */
function judgePass(outcomes: readonly Outcome[], { to, port }: Flow): string {
  const untouched = hostPort(canonicalIp(to) ?? to, port);
  for (const outcome of outcomes) {
    if (!outcome.ok) return `${outcome.error} instead of an answer from ${untouched}`;
    if (outcome.endpoint !== untouched) return `answered by ${outcome.endpoint} instead of ${untouched}`;
  }
  return '';
}

function count(outcomes: readonly Outcome[], matches: (one: Outcome) => boolean): string {
  return `${outcomes.filter(matches).length} of ${outcomes.length} tries`;
}
