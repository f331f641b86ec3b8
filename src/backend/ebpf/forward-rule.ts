// Masqueraded Service traffic passes a FORWARD chain with policy drop, as with kube-proxy's KUBE-FORWARD (design rule 11).
// In iptables' own chain, because an accept elsewhere does not stop another table's drop.
import { readFileSync } from 'node:fs';
import type { Logger } from '../../log.ts';
import { type Ran, runTool } from './tool.ts';
import type { Drift } from './verify.ts';

const CHAIN = 'TURNOUT-FORWARD';
const RULES = 2; // of the chain
/** By family: the command, its legacy variant, and where the kernel lists the legacy tables that are in use. */
const FAMILIES = [
  { command: 'iptables', legacy: 'iptables-legacy', names: '/proc/self/net/ip_tables_names' },
  { command: 'ip6tables', legacy: 'ip6tables-legacy', names: '/proc/self/net/ip6_tables_names' },
] as const;
const JUMP = ['FORWARD', '-m', 'comment', '--comment', 'turnout: Service traffic', '-j', CHAIN];

/**
 * A host's rules may be in nftables or in the legacy tables, whatever `iptables` stands for here, or in both: a packet passes
 * both. Legacy tables are only touched where some exist, since looking would make them.
 */
export function forwardCommands(): string[] {
  return FAMILIES.flatMap(({ command, legacy, names }) => {
    try {
      return readFileSync(names, 'utf8').split('\n').includes('filter') ? [command, legacy] : [command];
    } catch {
      return [command]; // no legacy tables in this kernel
    }
  });
}

/** The chain's content, as iptables-restore reads it. */
export function chainText(mark: number): string {
  const hex = `0x${mark.toString(16)}/0x${mark.toString(16)}`;
  return [
    '*filter',
    `:${CHAIN} - [0:0]`,
    `-A ${CHAIN} -m mark --mark ${hex} -j ACCEPT`,
    `-A ${CHAIN} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
    'COMMIT',
    '',
  ].join('\n');
}

export class ForwardRule {
  readonly #mark: number;
  readonly #logger: Logger;
  readonly #reported = new Set<string>();
  readonly #wasInForce = new Set<string>(); // commands that have set it

  constructor(mark: number, logger: Logger) {
    this.#mark = mark;
    this.#logger = logger;
  }

  /** Looks for the rule where it was once, and puts it back, as after a reload of the firewall. Resolves with how many were looked at. */
  async check(onDrift: (drift: Drift) => void): Promise<number> {
    for (const command of [...this.#wasInForce]) {
      const [jump, chain] = await Promise.all([
        runTool(command, ['-w', '5', '-C', ...JUMP]),
        runTool(command, ['-w', '5', '-S', CHAIN]),
      ]);
      if (jump.status === 0 && chain.stdout.split('-j ACCEPT').length > RULES) continue;
      const failure = await this.#ensure(command);
      onDrift({ table: 'forward', kind: 'missing', row: `${command} FORWARD`, expected: `-j ${CHAIN}`, found: '', failure });
    }
    return this.#wasInForce.size;
  }

  /** Idempotent. A host without iptables has no such chain to pass; that, and failure, is reported once. */
  async ensure(): Promise<void> {
    await Promise.all(forwardCommands().map((command) => this.#ensure(command)));
  }

  /** '' or why not. */
  async #ensure(command: string): Promise<string> {
    const restored = await runTool(`${command}-restore`, ['-w', '5', '--noflush'], chainText(this.#mark));
    if (restored.status !== 0) return this.#report(command, restored);
    if ((await runTool(command, ['-w', '5', '-C', ...JUMP])).status !== 0) {
      const inserted = await runTool(command, ['-w', '5', '-I', ...JUMP]);
      if (inserted.status !== 0) return this.#report(command, inserted);
    }
    this.#wasInForce.add(command);
    return '';
  }

  #report(command: string, { status, stderr }: Ran): string {
    const failure = stderr.trim() || `${command} ended with ${status}`;
    if (this.#reported.has(command)) return failure;
    this.#reported.add(command);
    if (status === -1) this.#logger.info('No FORWARD rule: the command is missing', { command });
    else
      this.#logger.warn('FORWARD rule could not be set; a FORWARD policy of drop would stop Service traffic', {
        command,
        stderr,
      });
    return failure;
  }
}

/** Removes our chain and the jump to it; what is not there is no fault. */
export async function removeForwardRule(): Promise<void> {
  for (const command of forwardCommands()) {
    while ((await runTool(command, ['-w', '5', '-D', ...JUMP])).status === 0);
    await runTool(command, ['-w', '5', '-F', CHAIN]);
    await runTool(command, ['-w', '5', '-X', CHAIN]);
  }
}
