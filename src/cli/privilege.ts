// What this process may do, asked before anything is tried: without it, pins look absent and settings look wrong.
import { readFileSync } from 'node:fs';
import { TurnoutError } from '../errors.ts';

const CAP_NET_ADMIN = 1n << 12n;
const CAP_SYS_ADMIN = 1n << 21n;
const CAP_BPF = 1n << 39n;

/** The effective capabilities of this process; all of them where the kernel does not say. */
export function effectiveCapabilities(status = '/proc/self/status'): bigint {
  try {
    const [, mask = ''] = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync(status, 'utf8')) ?? [];
    return mask === '' ? ~0n : BigInt(`0x${mask}`);
  } catch {
    return ~0n;
  }
}

/** Throws EPRIVILEGE when `what` cannot work. Looking needs less than changing. */
export function requireCapabilities(what: string, capabilities: bigint, isChange: boolean): void {
  const missing: string[] = [];
  const mayUseBpf = (capabilities & (CAP_BPF | CAP_SYS_ADMIN)) !== 0n;
  if (!mayUseBpf) missing.push('CAP_BPF');
  if (isChange && (capabilities & CAP_NET_ADMIN) === 0n) missing.push('CAP_NET_ADMIN');
  if (missing.length === 0) return;
  throw new TurnoutError(
    'EPRIVILEGE',
    `${what} needs root (${missing.join(' and ')} ${missing.length > 1 ? 'are' : 'is'} missing)`,
    {
      hint: 'run it as root, with sudo for instance',
    },
  );
}
