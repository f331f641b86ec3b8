// Much data over one TCP connection, there and back.
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Namespace } from './namespace.ts';

export interface Bulk {
  readonly received: number;
  readonly error: string; // an errno's name, EHASH where other octets came back than were sent; '': none
}

/** To an echo server (Agent.listen). */
export async function bulk(namespace: Namespace, to: string, port: number, octets: number, timeoutMs = 8000): Promise<Bulk> {
  const args = [join(import.meta.dirname, 'bulk-process.ts'), to, String(port), String(octets), String(timeoutMs)];
  const child = namespace.spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  if (!child.stdout) throw new Error('bulk without output');
  const [output] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  return JSON.parse(output) as Bulk;
}
