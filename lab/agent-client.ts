// Talks to an agent (agent.ts) in a namespace: JSON lines over its standard input and output.
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type {
  AgentRequest,
  AnswersReport,
  BulkReport,
  BulkRequest,
  ConnectRequest,
  HoldReport,
  LabProtocol,
  Outcome,
} from './agent-protocol.ts';
import type { Namespace } from './namespace.ts';

export class Agent {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  #next = 1;
  #stderr = '';

  constructor(namespace: Namespace) {
    this.#child = namespace.spawn(process.execPath, [join(import.meta.dirname, 'agent.ts')], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stderr?.on('data', (data: Buffer) => {
      this.#stderr += data.toString();
    });
    this.#child.stdin?.on('error', () => {});
    this.#child.on('exit', (status) => {
      for (const { reject } of this.#waiting.values())
        reject(new Error(`agent in ${namespace.name} ended (${status}): ${this.#stderr}`));
      this.#waiting.clear();
    });
    if (!this.#child.stdout) throw new Error('agent without output');
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      const { id, result, error } = JSON.parse(line) as { id: number; result?: unknown; error?: string };
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(result);
      else waiting?.reject(new Error(`agent in ${namespace.name}: ${error}`));
    });
  }

  /**
   * An echo server: TCP answers '<own address> <peer address>' to a connection and then echoes; UDP answers it to a datagram,
   * SCTP to an INIT, without a stack (sctp-raw.c). '::' is every address of both families for TCP and SCTP.
   */
  async listen(protocol: LabProtocol, address: string, port: number): Promise<void> {
    await this.#ask({ op: 'listen', protocol, address, port });
  }

  /** One outcome for each try, in order. */
  connect(request: ConnectRequest): Promise<Outcome[]> {
    return this.#ask({ op: 'connect', ...request }) as Promise<Outcome[]>;
  }

  /** Opens TCP connections (or one connected UDP socket each) and keeps them under a name. */
  hold(name: string, request: ConnectRequest): Promise<Outcome[]> {
    return this.#ask({ op: 'hold', name, ...request }) as Promise<Outcome[]>;
  }

  /** Sends over each held connection and waits for the echo. */
  check(name: string, timeoutMs = 5000): Promise<HoldReport> {
    return this.#ask({ op: 'check', name, timeoutMs }) as Promise<HoldReport>;
  }

  /** Sends a datagram over each held UDP socket, in order. A socket that failed since it was opened says with what. */
  send(name: string, timeoutMs = 5000): Promise<Outcome[]> {
    return this.#ask({ op: 'send', name, timeoutMs }) as Promise<Outcome[]>;
  }

  /** check(), and who answered. */
  answers(name: string, timeoutMs = 5000): Promise<AnswersReport> {
    return this.#ask({ op: 'answers', name, timeoutMs }) as Promise<AnswersReport>;
  }

  /** The TCP echo server of this port says something over each of its connections, unasked. Resolves with their number. */
  push(port: number): Promise<number> {
    return this.#ask({ op: 'push', port }) as Promise<number>;
  }

  /** Sends that much over one TCP connection and takes it back. */
  bulk(request: BulkRequest): Promise<BulkReport> {
    return this.#ask({ op: 'bulk', ...request }) as Promise<BulkReport>;
  }

  async release(name: string): Promise<void> {
    await this.#ask({ op: 'release', name });
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.stdin?.end();
    await ended;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #ask(request: AgentRequest): Promise<unknown> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.stdin?.write(`${JSON.stringify({ id, ...request })}\n`);
    });
  }
}
