// Sends what a probe says in one world, many times with fresh source ports, and gathers what came back.
import { type ConnectRequest, hostPort, type Outcome } from '../../lab/agent-protocol.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { isNodeAddress, WITNESS_PORT } from './addresses.ts';
import type { Network } from './network.ts';
import type { FrontendKind, Protocol } from './objects.ts';

export type Sender = 'node' | 'clients' | 'pod0' | 'pod1' | 'pod2';

export interface Probe {
  readonly kind: FrontendKind | 'undefined port' | 'unallocated address' | 'loopback';
  readonly service: string; // '' : none
  readonly portName: string;
  readonly protocol: Protocol;
  readonly to: string;
  readonly port: number;
  readonly sender: Sender;
  readonly from: string; // '' : the kernel's choice
  /** Clients that each ask once, where affinity ties a client to one endpoint; empty: `from` asks again and again. */
  readonly spread: readonly string[];
  readonly hasAffinity: boolean;
  readonly mostEndpoints: number; // that may be behind it
}

/** What was seen. An answer is 'endpoint <- source'; sources are 'own', 'node', or an address that is neither. */
/** Who answers for every address that packets are sent to: nobody translated this one. */
export const UNTOUCHED = 'untouched';

export interface Seen {
  readonly answers: ReadonlySet<string>;
  readonly errors: ReadonlySet<string>; // 'refused', 'dropped', or another error's name
}

export const probeText = ({ kind, protocol, to, port, sender, from, spread, service }: Probe): string =>
  `${sender}${from && ` (${from})`}${spread.length > 0 ? ` (${spread.length} clients)` : ''} -> ${to} port ${port}/${protocol}, ${kind}${service && ` of ${service}`}`;

const ERRORS: Readonly<Record<string, string>> = { ECONNREFUSED: 'refused', ETIMEDOUT: 'dropped' };
const FIRST_TRIES = 4;
const AFFINITY_TRIES = 3;

/** Misses one of n endpoints under even random choice with a chance below n·e^-certainty. */
export const triesFor = (endpoints: number, certainty: number): number =>
  Math.ceil(Math.max(1, endpoints) * (Math.log(Math.max(1, endpoints)) + certainty));

export const addressOf = (hostPort: string): string => hostPort.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');

/** How an outcome is written, so that the same from both worlds is the same text. */
/** Who has the very address and port that was asked for got a packet that nobody changed; so did the witness. */
export const isUntouched = (endpoint: string, { to, port }: Pick<Probe, 'to' | 'port'>): boolean =>
  endpoint.endsWith(`:${WITNESS_PORT}`) || endpoint === hostPort(to, port);

export function describe(
  outcome: Outcome,
  { sender, from, to, port }: Pick<Probe, 'sender' | 'from' | 'to' | 'port'>,
): { answer: string } | { error: string } {
  if (!outcome.ok) return { error: ERRORS[outcome.error] ?? outcome.error };
  const { endpoint, peer } = outcome;
  const source = addressOf(peer);
  // A process of the node has any of the node's addresses for its own.
  const isOwn = sender !== 'node' && source === from;
  const who = isUntouched(endpoint, { to, port }) ? UNTOUCHED : endpoint;
  return { answer: `${who} <- ${isOwn ? 'own' : isNodeAddress(source) ? 'node' : source}` };
}

export const namespaceOf = (network: Network, sender: Sender): Namespace =>
  sender === 'node' ? network.node : sender === 'clients' ? network.clients : network.pods[Number(sender.slice(3))]!;

/** certainty: see triesFor(). */
export async function send(network: Network, probe: Probe, timeoutMs: number, certainty: number): Promise<Seen> {
  const { protocol, to, port, from, spread, hasAffinity } = probe;
  const { agent } = namespaceOf(network, probe.sender);
  const request: ConnectRequest = {
    protocol,
    to,
    port,
    timeoutMs,
    concurrency: 8,
    awaitsAfterEperm: network.givesEperm,
  };
  const ask = (source: string, count: number, rest: Partial<ConnectRequest>): Promise<Outcome[]> =>
    agent.connect({ ...request, ...(source !== '' && { from: source }), count, ...rest });

  if (spread.length > 0) {
    const each = await Promise.all(
      spread.map(async (client) => gather(await ask(client, 1, { udp: 'connected' }), { ...probe, from: client })),
    );
    return union(each);
  }
  // A socket that is not connected hears of no refusal. One at a time under affinity: two first packets at once are two choices.
  const first = await ask(from, hasAffinity ? 1 : FIRST_TRIES, { udp: 'connected' });
  if (first.every(({ ok }) => !ok)) return gather(first, probe);
  if (hasAffinity) return gather([...first, ...(await ask(from, AFFINITY_TRIES - 1, { concurrency: 1 }))], probe);
  const rest = triesFor(probe.mostEndpoints, certainty) - FIRST_TRIES;
  return gather(rest > 0 ? [...first, ...(await ask(from, rest, {}))] : first, probe);
}

export function gather(outcomes: readonly Outcome[], probe: Pick<Probe, 'sender' | 'from' | 'to' | 'port'>): Seen {
  const answers = new Set<string>();
  const errors = new Set<string>();
  for (const outcome of outcomes) {
    const one = describe(outcome, probe);
    if ('answer' in one) answers.add(one.answer);
    else errors.add(one.error);
  }
  return { answers, errors };
}

export function union(all: readonly Seen[]): Seen {
  return {
    answers: new Set(all.flatMap(({ answers }) => [...answers])),
    errors: new Set(all.flatMap(({ errors }) => [...errors])),
  };
}
