// Netfilter's conntrack settings, as kube-proxy writes them at start. (kube-proxy-parity.md 5.8)
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { Config } from '../../config/config.ts';
import { TurnoutError } from '../../errors.ts';

const FOLDER = '/proc/sys/net/netfilter';

const seconds = (ms: number): number => Math.trunc(ms / 1000);

/** What would be written: name -> value. Zero and false mean "leave it". */
export function conntrackSettings(conntrack: Config['conntrack'], cpus: number): Map<string, number> {
  const settings = new Map<string, number>();
  const set = (name: string, value: number): void => {
    if (value > 0) settings.set(name, value);
  };
  if (conntrack.maxPerCore > 0) set('nf_conntrack_max', Math.max(conntrack.min, conntrack.maxPerCore * cpus));
  set('nf_conntrack_tcp_timeout_established', seconds(conntrack.tcpEstablishedTimeoutMs));
  set('nf_conntrack_tcp_timeout_close_wait', seconds(conntrack.tcpCloseWaitTimeoutMs));
  set('nf_conntrack_tcp_be_liberal', conntrack.tcpBeLiberal ? 1 : 0);
  set('nf_conntrack_udp_timeout', seconds(conntrack.udpTimeoutMs));
  set('nf_conntrack_udp_timeout_stream', seconds(conntrack.udpStreamTimeoutMs));
  return settings;
}

/**
 * Where conntrack is a module that nobody has needed so far: without it there are no settings, and programs that are loaded
 * before it never find its calls. A failure is no fault of its own: conntrack may not exist, or the settings will say so.
 */
export function loadConntrack(): void {
  if (!existsSync(`${FOLDER}/nf_conntrack_max`)) spawnSync('modprobe', ['--quiet', 'nf_conntrack'], { stdio: 'ignore' });
}

/** Writes what differs. Throws TurnoutError ESYSCTL, which is fatal as in kube-proxy. */
export function applyConntrackSettings(conntrack: Config['conntrack']): void {
  for (const [name, value] of conntrackSettings(conntrack, availableParallelism())) {
    const path = `${FOLDER}/${name}`;
    try {
      if (Number(readFileSync(path, 'utf8')) === value) continue;
      writeFileSync(path, String(value));
    } catch (error) {
      const hint =
        name === 'nf_conntrack_max'
          ? 'set conntrack.maxPerCore to 0 (--conntrack-max-per-core=0) to leave the limit as it is'
          : 'set the conntrack timeout to 0 to leave it as it is';
      throw new TurnoutError('ESYSCTL', `cannot set ${path} to ${value}: ${(error as Error).message}`, { hint, cause: error });
    }
  }
}
