// Which endpoint a client is tied to. Two worlds tie it to different ones, but both must keep it as long as kube-proxy would.

import { familyOf } from './addresses.ts';
import { isTied } from './compare.ts';
import { endpointsOf, isReady, type Objects, PROXY_NAME } from './objects.ts';
import type { Probe, Seen } from './probe.ts';

interface Tie {
  readonly probe: Probe;
  readonly endpoint: string;
}

const keyOf = ({ service, portName, protocol, from, to, sender }: Probe): string =>
  `${service}:${portName}/${protocol}/${familyOf(to)} ${sender} ${from}`;

/** True while nothing happened that lets kube-proxy choose again: the endpoint is ready, and every frontend uses all ready ones. */
export function mustStick(objects: Objects, probe: Probe, endpoint: string): boolean {
  const service = objects.services.get(probe.service);
  const slices = objects.slices.get(probe.service) ?? [];
  if (service?.spec.sessionAffinity !== 'ClientIP' || PROXY_NAME in (service.metadata.labels ?? {})) return false;
  const { internalTrafficPolicy, externalTrafficPolicy = 'Cluster' } = service.spec;
  if (internalTrafficPolicy === 'Local' || externalTrafficPolicy === 'Local') return false;
  if (slices.some(({ endpoints }) => endpoints.some(({ hints }) => hints))) return false;
  if (!service.spec.ports.some(({ name, protocol }) => name === probe.portName && protocol === probe.protocol)) return false;
  return endpointsOf(slices, { name: probe.portName, protocol: probe.protocol }, familyOf(probe.to), isReady).includes(endpoint);
}

export class Ties {
  readonly #ties = new Map<string, Tie>();

  /** Forgets what the objects no longer ask for. To be called after each change, or a tie that came back would count as kept. */
  change(objects: Objects): void {
    for (const [key, { probe, endpoint }] of this.#ties) if (!mustStick(objects, probe, endpoint)) this.#ties.delete(key);
  }

  /** Whether the client stayed with its endpoint; null where it had none, or none was reached. */
  stays(objects: Objects, probe: Probe, { answers }: Seen): boolean | null {
    if (!isTied(probe) || probe.from === '') return null;
    const endpoints = new Set([...answers].map((answer) => answer.split(' <- ')[0] ?? ''));
    const [endpoint = ''] = endpoints;
    if (endpoints.size !== 1) return null;
    const before = this.#ties.get(keyOf(probe));
    if (mustStick(objects, probe, endpoint)) this.#ties.set(keyOf(probe), { probe, endpoint });
    return before ? before.endpoint === endpoint : null;
  }
}
