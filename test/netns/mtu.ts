// What a sender has learnt about the way to an address.
import type { Namespace } from '../../lab/namespace.ts';

/** The MTU that a namespace uses to reach an address: what an ICMP error told it, else its device's. */
export function mtuTo(namespace: Namespace, to: string): number {
  const text = namespace.run('ip', 'route', 'get', to);
  const learnt = /\bmtu (?:lock )?(\d+)/.exec(text)?.[1];
  const device = /\bdev (\S+)/.exec(text)?.[1] ?? '';
  const own = /\bmtu (\d+)/.exec(namespace.run('ip', '-o', 'link', 'show', 'dev', device))?.[1];
  return Number(learnt ?? own);
}
