// Masqueraded Service traffic passes a FORWARD chain with policy drop, as with kube-proxy's KUBE-FORWARD (design rule 11).
// In iptables' own chain, because an accept elsewhere does not stop another table's drop.
import { spawn } from 'node:child_process';
import type { Logger } from '../../log.ts';

const CHAIN = 'TURNOUT-FORWARD';
const COMMANDS = ['iptables', 'ip6tables'] as const;
const JUMP = ['FORWARD', '-m', 'comment', '--comment', 'turnout: Service traffic', '-j', CHAIN];

interface Ran {
  readonly status: number; // -1: the command is missing
  readonly stderr: string;
}

function run(command: string, args: readonly string[], input = ''): Promise<Ran> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['pipe', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (data: Buffer) => {
      stderr += data.toString();
    });
    child.on('error', (error) => resolve({ status: -1, stderr: error.message }));
    child.on('close', (status) => resolve({ status: status ?? 1, stderr }));
    child.stdin.on('error', () => {}); // it may end before it has read everything
    child.stdin.end(input);
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

  constructor(mark: number, logger: Logger) {
    this.#mark = mark;
    this.#logger = logger;
  }

  /** Idempotent. A host without iptables has no such chain to pass; that, and failure, is reported once. */
  async ensure(): Promise<void> {
    await Promise.all(COMMANDS.map((command) => this.#ensure(command)));
  }

  async #ensure(command: string): Promise<void> {
    const restored = await run(`${command}-restore`, ['-w', '5', '--noflush'], chainText(this.#mark));
    if (restored.status !== 0) return this.#report(command, restored);
    if ((await run(command, ['-w', '5', '-C', ...JUMP])).status === 0) return;
    const inserted = await run(command, ['-w', '5', '-I', ...JUMP]);
    if (inserted.status !== 0) this.#report(command, inserted);
  }

  #report(command: string, { status, stderr }: Ran): void {
    if (this.#reported.has(command)) return;
    this.#reported.add(command);
    if (status === -1) this.#logger.info('No FORWARD rule: the command is missing', { command });
    else
      this.#logger.warn('FORWARD rule could not be set; a FORWARD policy of drop would stop Service traffic', {
        command,
        stderr,
      });
  }
}

/** Removes our chain and the jump to it; what is not there is no fault. */
export async function removeForwardRule(): Promise<void> {
  for (const command of COMMANDS) {
    while ((await run(command, ['-w', '5', '-D', ...JUMP])).status === 0);
    await run(command, ['-w', '5', '-F', CHAIN]);
    await run(command, ['-w', '5', '-X', CHAIN]);
  }
}
