// One turnout for each node: an abstract Unix socket belongs to a network namespace and goes with its process, however it ends.
// Who connects is told about the instance.
import { connect, createServer, type Server } from 'node:net';
import { TurnoutError } from './errors.ts';

/** A leading NUL makes the address abstract: no file, nothing to clean up. */
const ADDRESS = '\0turnout';
const ANSWER_MS = 1000;

export interface InstanceFacts {
  readonly pid: number;
  readonly startedAt: string; // RFC 3339
  readonly version: string;
  readonly proxyMode: string;
  readonly pinFolder: string;
}

/** Holds the node until close(). Throws TurnoutError EINSTANCE when another instance has it. */
export async function holdNode(facts: () => InstanceFacts): Promise<{ close(): void }> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => {});
    socket.end(`${JSON.stringify(facts())}\n`);
  });
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(ADDRESS, resolve);
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    const other = await runningInstance();
    const who = other ? `turnout (pid ${other.pid}, since ${other.startedAt})` : 'another turnout';
    throw new TurnoutError('EINSTANCE', `${who} already serves this node`, {
      hint: 'a node is a network namespace; stop the other one first, its datapath stays in force until this one takes over',
    });
  }
  server.unref();
  return { close: () => void server.close() };
}

/** The instance of this network namespace, or null. */
export function runningInstance(): Promise<InstanceFacts | null> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(ADDRESS);
    const finish = (): void => {
      socket.destroy();
      try {
        resolve(JSON.parse(text) as InstanceFacts);
      } catch {
        resolve(null);
      }
    };
    socket.setTimeout(ANSWER_MS, finish);
    socket.on('data', (data: Buffer) => {
      text += data.toString();
    });
    socket.on('error', () => resolve(null));
    socket.on('end', finish);
  });
}
