// What netns tests say about traffic: who was reached, and which source they saw.
import { expect } from 'vitest';
import type { Outcome } from '../../lab/agent-protocol.ts';
import type { ClusterNode, Pod } from '../../lab/cluster.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { TARGET_PORT } from '../../lab/service.ts';

export const FAMILIES = ['IPv4', 'IPv6'] as const;
export const PROTOCOLS = ['TCP', 'UDP'] as const;
export type Family = (typeof FAMILIES)[number];
export type Protocol = (typeof PROTOCOLS)[number];

/** Every family with every protocol: what each path is tried with. */
export const KINDS = FAMILIES.flatMap((family) => PROTOCOLS.map((protocol) => ({ family, protocol })));

/** Missing one of two even choices then has a chance of 2^-23. */
export const TRIES = 24;

export const CLUSTER_IPS = { IPv4: '10.96.0.10', IPv6: 'fd00:10:96::10' } as const;
export const NODE_PORT = 30080;

export const ipOf = (one: Pod | ClusterNode, family: Family): string => (family === 'IPv4' ? one.ipv4 : one.ipv6);
const inBrackets = (address: string): string => (address.includes(':') ? `[${address}]` : address);
export const endpointOf = (pod: Pod, family: Family): string => `${inBrackets(ipOf(pod, family))}:${TARGET_PORT}`;

/** Every address of a namespace's devices, loopback too. */
export function addressesOf(namespace: Namespace): Set<string> {
  const devices = JSON.parse(namespace.run('ip', '-j', 'addr', 'show')) as { addr_info: { local: string }[] }[];
  return new Set(devices.flatMap(({ addr_info }) => addr_info.map(({ local }) => local)));
}

export const sourceOf = (outcome: Outcome): string =>
  outcome.ok ? outcome.peer.replace(/:\d+$/, '').replace(/^\[|\]$/g, '') : outcome.error;

/** Sends TRIES connections. Resolves with the source that each endpoint saw, after checking that all were answered. */
export async function reach(
  from: Namespace,
  to: string,
  port: number,
  protocol: Protocol,
  more: { count?: number; timeoutMs?: number; octets?: number } = {},
): Promise<Map<string, Set<string>>> {
  const outcomes = await from.agent.connect({ protocol, to, port, count: TRIES, timeoutMs: 5000, ...more });
  const errors = outcomes.flatMap((one) => (one.ok ? [] : [one.error]));
  expect(errors, `${protocol} from ${from.name} to ${to} port ${port}`).toEqual([]);
  const seen = new Map<string, Set<string>>();
  for (const outcome of outcomes) {
    if (!outcome.ok) continue;
    const sources = seen.get(outcome.endpoint) ?? new Set();
    seen.set(outcome.endpoint, sources.add(sourceOf(outcome)));
  }
  return seen;
}

/** The distinct errors of a few tries, UDP by connected sockets since others are told of no error; an answer counts as 'answered by ...'. */
export async function refusal(from: Namespace, to: string, port: number, protocol: Protocol): Promise<string[]> {
  const outcomes = await from.agent.connect({ protocol, to, port, count: 4, timeoutMs: 3000, udp: 'connected' });
  return [...new Set(outcomes.map((one) => (one.ok ? `answered by ${one.endpoint}` : one.error)))];
}
