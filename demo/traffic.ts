// Real connections of the demo, told in one line: who answered, how often, and which source it saw.
import type { Outcome } from '../lab/agent-protocol.ts';
import type { Pod } from '../lab/cluster.ts';
import type { Namespace } from '../lab/namespace.ts';
import type { Screen } from './screen.ts';

/** With two backends, missing one by chance is a matter of 1 in 8 million. */
const TRIES = 24;

export interface Call {
  readonly from: Namespace;
  readonly to: string;
  readonly port: number;
  readonly protocol: 'TCP' | 'UDP';
  readonly expected: readonly Pod[]; // each must answer, and nobody else
}

const hostOf = (endpoint: string): string => endpoint.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');

function tally(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts.entries()]
    .sort()
    .map(([name, count]) => `${name} ${count}x`)
    .join(', ');
}

export async function show(screen: Screen, call: Call): Promise<void> {
  const { from, to, port, protocol, expected } = call;
  const outcomes = await from.agent.connect({ protocol, to, port, count: TRIES, timeoutMs: 5000 });
  const podOf = (one: Outcome): string => {
    if (!one.ok) return one.error;
    const host = hostOf(one.endpoint);
    return expected.find(({ ipv4, ipv6 }) => host === ipv4 || host === ipv6)?.name ?? host;
  };
  const names = outcomes.map(podOf);
  const wanted = expected.map(({ name }) => name).sort();
  const isGood = [...new Set(names)].sort().join() === wanted.join();
  const sources = [...new Set(outcomes.flatMap((one) => (one.ok ? [hostOf(one.peer)] : [])))].sort();
  const address = to.includes(':') ? `[${to}]:${port}` : `${to}:${port}`;
  screen.result(
    isGood,
    `${protocol} to ${address}`,
    `${tally(names)}${sources.length > 0 ? `; they saw ${sources.join(', ')}` : ''}`,
  );
}

/** Connections that stay open; every check sends over each of them and waits for the echo. */
export class OpenConnections {
  readonly #from: Namespace;
  readonly #name: string;

  constructor(from: Namespace, name: string) {
    this.#from = from;
    this.#name = name;
  }

  async open(screen: Screen, to: string, port: number, count: number): Promise<void> {
    const outcomes = await this.#from.agent.hold(this.#name, { protocol: 'TCP', to, port, count });
    const opened = outcomes.filter(({ ok }) => ok).length;
    screen.result(opened === count, `${count} connections opened`, `to ${to.includes(':') ? `[${to}]` : to}:${port}`);
  }

  async check(screen: Screen, when: string): Promise<void> {
    const { held, alive, errors } = await this.#from.agent.check(this.#name);
    screen.result(held > 0 && alive === held, when, `${alive} of ${held} connections alive ${errors.join(', ')}`.trim());
  }

  async close(): Promise<void> {
    await this.#from.agent.release(this.#name);
  }
}
