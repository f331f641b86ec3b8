// SCTP for the agent: the kernel need not know it (sctp-raw.c, which `make` builds).
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { promisify } from 'node:util';
import type { ConnectRequest, Outcome } from './agent-protocol.ts';

const BINARY = join(import.meta.dirname, '../build/lab/sctp-raw');
// Within the usual ephemeral range; each request goes on where the last one ended, so that no try meets the flow of another.
const FIRST_PORT = 32768;
const PORTS = 28000;

interface Server {
  readonly child: ChildProcess;
  readonly lines: Interface;
}
let server: Server | undefined;
let nextPort = Math.floor(Math.random() * PORTS);

function startServer(): Server {
  const child = spawn(BINARY, ['serve'], { stdio: ['pipe', 'pipe', 'inherit'] });
  if (!child.stdout) throw new Error('sctp-raw without output');
  return { child, lines: createInterface({ input: child.stdout }) };
}

/** Resolves when an INIT to this place gets its answer. '::' is every address of both families. */
export function listenSctp(address: string, port: number): Promise<void> {
  server ??= startServer();
  const { child, lines } = server;
  const wanted = `${address} ${port}`;
  return new Promise((resolve, reject) => {
    const failed = (reason: unknown): void => reject(new Error(`sctp-raw serve: ${reason}`));
    const seen = (line: string): void => {
      if (line !== wanted) return;
      lines.off('line', seen);
      child.off('error', failed);
      child.off('exit', failed);
      resolve();
    };
    lines.setMaxListeners(0).on('line', seen);
    child.setMaxListeners(0).once('error', failed).once('exit', failed);
    child.stdin?.write(`${wanted}\n`);
  });
}

function outcomeOf(line: string): Outcome {
  const [word = '', ...rest] = line.split(' ');
  if (word !== 'answered') return { ok: false, error: rest.join(' ') };
  const [endpoint = '', peer = '', named = ''] = rest;
  return { ok: true, endpoint, peer, named };
}

/** An INIT for each try, and what came back. */
export async function connectSctp(request: ConnectRequest, timeoutMs: number): Promise<Outcome[]> {
  const { to, port, from, fromPort, count = 1, concurrency = 16 } = request;
  const first = fromPort ?? FIRST_PORT + nextPort;
  // The rest of the range, then from its start in a request of its own.
  const ports = fromPort ? 1 : Math.min(count, PORTS - nextPort);
  const here = fromPort ? count : ports;
  if (!fromPort) nextPort = (nextPort + here) % PORTS;
  const numbers = [first, ports, here, concurrency, timeoutMs].map(String);
  const { stdout } = await promisify(execFile)(BINARY, ['connect', to, String(port), from || '-', ...numbers], {
    maxBuffer: 1 << 26,
  });
  const outcomes = stdout.trimEnd().split('\n').map(outcomeOf);
  return here < count ? [...outcomes, ...(await connectSctp({ ...request, count: count - here }, timeoutMs))] : outcomes;
}
