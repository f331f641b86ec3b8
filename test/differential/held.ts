// Connections that are kept over changes. TCP lives as long as its pod. UDP leaves an endpoint that no longer serves.
import type { AnswersReport } from '../../lab/agent-protocol.ts';
import { familyOf } from './addresses.ts';
import type { HeldCase } from './differences.ts';
import { endpointsOf, frontendsOf, isServing, type Objects, PROXY_NAME } from './objects.ts';
import { isUntouched, namespaceOf, type Probe } from './probe.ts';
import type { World } from './world.ts';

const HELD_ROUNDS = 8;
const TIMEOUT_MS = 2000;

export const SERVING = 'with a serving endpoint';
export const STALE = 'with an endpoint that does not serve';

export interface Held {
  readonly name: string;
  readonly probe: Probe;
  readonly since: number; // the round
  readonly endpoint: string; // that Turnout gave it
}

/** What a held connection does, as text; the same in both worlds when both are right. */
export function heldText({ protocol }: Probe, report: AnswersReport, serving: readonly string[]): string {
  if (report.alive < report.held) return `${report.held - report.alive} of ${report.held} lost: ${report.errors.join(', ')}`;
  if (protocol !== 'UDP') return 'alive';
  return report.endpoints.every((endpoint) => serving.includes(endpoint)) ? SERVING : STALE;
}

/** Endpoints that kube-proxy leaves a UDP flow with: serving ones of its Service's port; none once the frontend is gone. */
export function servingFor(objects: Objects, { service, to, port, portName, protocol }: Probe): string[] {
  const owner = objects.services.get(service);
  const isThere =
    owner &&
    !(PROXY_NAME in (owner.metadata.labels ?? {})) &&
    frontendsOf(owner).some(
      ({ address, number, port: one }) => address === to && number === port && one.name === portName && one.protocol === protocol,
    );
  return isThere ? endpointsOf(objects.slices.get(service) ?? [], { name: portName, protocol }, familyOf(to), isServing) : [];
}

export class HeldConnections {
  #held: Held[] = [];

  /** In both worlds; kept only when both have it. */
  async open(worlds: readonly [World, World], probe: Probe, round: number): Promise<void> {
    const name = `r${round}-${this.#held.length}`;
    const { protocol, to, port, from } = probe;
    const opened = await Promise.all(
      worlds.map(({ network }) =>
        namespaceOf(network, probe.sender).agent.hold(name, {
          ...{ protocol, to, port, count: 1, timeoutMs: TIMEOUT_MS },
          ...(from !== '' && { from }),
        }),
      ),
    );
    const last = opened[1]?.[0];
    const held = { name, probe, since: round, endpoint: last?.ok ? last.endpoint : '' };
    if (opened.flat().every(({ ok }) => ok)) this.#held.push(held);
    else await this.#release(worlds, held);
  }

  /** What each does now, in both worlds; the old ones are released. */
  async check(
    worlds: readonly [World, World],
    objects: Objects,
    round: number,
    report: (held: Held, one: Omit<HeldCase, 'socketPath'>) => void,
    wasLate: (held: Held) => void,
  ): Promise<void> {
    await Promise.all(
      this.#held.map(async (held) => {
        const serving = servingFor(objects, held.probe);
        const { probe, endpoint } = held;
        const ask = async ({ network }: World): Promise<string> =>
          heldText(probe, await namespaceOf(network, probe.sender).agent.answers(held.name, TIMEOUT_MS), serving);
        let texts = await Promise.all(worlds.map(ask));
        if (probe.protocol === 'UDP' && texts.some((text) => text.endsWith(': ETIMEDOUT'))) {
          // A datagram may be lost; whoever sent it sends another. A flow that is lost stays lost.
          const again = await Promise.all(worlds.map(ask));
          if (again[1] !== texts[1]) wasLate(held);
          texts = again;
        }
        const [reference = '', turnout = ''] = texts;
        const isOlder = isUntouched(endpoint, probe);
        const hasLeft = !serving.includes(endpoint);
        report(held, { probe, isServed: serving.length > 0, isOlder, hasLeft, reference, turnout });
        // One that differs is told once.
        if (texts[0] !== texts[1] || round - held.since >= HELD_ROUNDS) await this.#release(worlds, held);
      }),
    );
  }

  async #release(worlds: readonly [World, World], held: Held): Promise<void> {
    this.#held = this.#held.filter((one) => one !== held);
    await Promise.all(worlds.map(({ network }) => namespaceOf(network, held.probe.sender).agent.release(held.name)));
  }
}
