// Children: scripts of ./children that run elsewhere (another network namespace, another user) and print JSON.

import { execFile, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';

const CHILD_TIMEOUT_MS = 40_000;

/** What the script printed as its last line. Fails with its stderr when it does not end with 0. */
export async function runChild(name: string, scriptArguments: string[], enter: string[] = []): Promise<unknown> {
  const command = [...enter, process.execPath, join(import.meta.dirname, 'children', `${name}.ts`), ...scriptArguments];
  const { stdout } = await promisify(execFile)(command[0]!, command.slice(1), { timeout: CHILD_TIMEOUT_MS });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
}

/** Command prefix that enters a network namespace and nothing else (`ip netns exec` would hide bpffs and cgroup2). */
export const inNetns = (netns: string): string[] => ['nsenter', `--net=/run/netns/${netns}`];

/** Two namespaces, joined by veths v0 (192.0.2.1, 2001:db8::1) and v1 (192.0.2.2, 2001:db8::2), for one test. */
export function pairOfNetns(): { near: string; far: string } {
  const unique = randomBytes(4).toString('hex');
  const [near, far] = [`tn-${unique}-a`, `tn-${unique}-b`];
  const ip = (...words: string[]) => execFileSync('ip', words.join(' ').split(' '));
  onTestFinished(() => {
    for (const netns of [near, far]) {
      try {
        ip('netns del', netns);
      } catch {
        // It was not made: the failure before this one says why.
      }
    }
  });
  ip('netns add', near);
  ip('netns add', far);
  ip('-n', near, 'link add v0 type veth peer name v1 netns', far);
  for (const [netns, device, host] of [
    [near, 'v0', '1'],
    [far, 'v1', '2'],
  ] as const) {
    ip('-n', netns, `addr add 192.0.2.${host}/24 dev ${device}`);
    ip('-n', netns, `addr add 2001:db8::${host}/64 dev ${device} nodad`);
    ip('-n', netns, `link set ${device} up`);
    ip('-n', netns, 'link set lo up');
  }
  return { near, far };
}
