// What other tools say of the node's firewall and devices. A missing tool has nothing to say.
import { forwardCommands } from '../forward-rule.ts';
import { runTool } from '../tool.ts';
import type { ForwardFact } from './facts.ts';

export async function forwardChains(): Promise<ForwardFact[]> {
  const chains = await Promise.all(
    forwardCommands().map(async (command) => ({ command, ...(await runTool(command, ['-w', '5', '-S', 'FORWARD'])) })),
  );
  return chains.flatMap(({ command, status, stdout }) => {
    if (status !== 0) return [];
    const lines = stdout.split('\n').filter(Boolean);
    const policy = /^-P FORWARD (\S+)/.exec(lines[0] ?? '')?.[1] ?? '';
    return [{ command, policy, rules: lines.filter((line) => line.startsWith('-A')) }];
  });
}

interface JsonChain {
  readonly family?: string;
  readonly table?: string;
  readonly name?: string;
  readonly hook?: string;
  readonly policy?: string;
}

/** iptables' own chains are in tables named filter of the families ip and ip6; it speaks for those itself. */
export async function nftForwardDrops(): Promise<string[]> {
  const { status, stdout } = await runTool('nft', ['-j', 'list', 'chains']);
  if (status !== 0) return [];
  const { nftables = [] } = parse<{ nftables?: { chain?: JsonChain }[] }>(stdout) ?? {};
  return nftables.flatMap(({ chain }) => {
    if (chain?.hook !== 'forward' || chain.policy !== 'drop') return [];
    const isIptables = chain.table === 'filter' && chain.name === 'FORWARD' && chain.family !== 'inet';
    return isIptables ? [] : [`${chain.family} ${chain.table} ${chain.name}`];
  });
}

export async function xdpDevices(): Promise<Map<string, string>> {
  const { status, stdout } = await runTool('ip', ['-json', 'link', 'show']);
  const links = status === 0 ? (parse<{ ifname?: string; xdp?: { mode?: number } }[]>(stdout) ?? []) : [];
  const modes: Readonly<Record<number, string>> = { 1: 'native', 2: 'generic', 3: 'offloaded' };
  return new Map(
    links.flatMap(({ ifname, xdp }) => (ifname && xdp ? [[ifname, modes[xdp.mode ?? 0] ?? 'several'] as const] : [])),
  );
}

function parse<T>(text: string): T | null {
  try {
    return JSON.parse(text) as T;
  } catch {
    return null;
  }
}
