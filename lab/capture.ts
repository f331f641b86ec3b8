// One packet as tcpdump sees it on a device.
import { once } from 'node:events';
import type { Namespace } from './namespace.ts';

/** The line that tcpdump prints for the first packet of this filter that is there after `send`; link-level header first. */
export async function captureOne(namespace: Namespace, device: string, filter: string, send: () => unknown): Promise<string> {
  const args = ['-i', device, '-nnel', '--immediate-mode', '-c', '1', filter];
  const tcpdump = namespace.spawn('tcpdump', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  try {
    let said = '';
    while (!said.includes('listening on')) said += String(await once(tcpdump.stderr!, 'data'));
    const line = once(tcpdump.stdout!, 'data');
    await send();
    return String(await line).trim();
  } finally {
    tcpdump.kill();
  }
}
