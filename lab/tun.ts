// Devices without an Ethernet header, as of a VPN.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Lab } from './lab.ts';
import type { Namespace } from './namespace.ts';
import { toolPath } from './tool.ts';

/** A pair of tun devices between two namespaces, both ends up; gone with the lab. */
export async function tunCable(lab: Lab, a: Namespace, deviceA: string, b: Namespace, deviceB: string): Promise<void> {
  const cable = spawn(toolPath('tun-cable'), [a.path, deviceA, b.path, deviceB], { stdio: ['ignore', 'pipe', 'ignore'] });
  lab.onClose(() => void cable.kill());
  const failed = once(cable, 'exit').then(([status]) => Promise.reject(new Error(`tun-cable ended (${status})`)));
  failed.catch(() => {});
  await Promise.race([once(cable.stdout, 'data'), failed]);
  a.ip(`link set ${deviceA} up`);
  b.ip(`link set ${deviceB} up`);
}
