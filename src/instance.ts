// One turnout for each node: an abstract Unix socket belongs to a network namespace and goes with its process, however it ends.
// Who connects is told about the instance.
import { connect, createServer, type Server } from 'node:net';
import { TurnoutError } from './errors.ts';

const NAME = 'turnout';
const ANSWER_MS = 1000;

/** A leading NUL makes an address abstract: no file, nothing to clean up. */
const addressOf = (name: string): string => `\0${name}`;

export interface InstanceFacts {
  readonly pid: number;
  readonly startedAt: string; // RFC 3339
  readonly version: string;
  readonly proxyMode: string;
  readonly pinFolder: string;
}

/** Holds the node until close(). Throws TurnoutError EINSTANCE when another instance has it. */
export function holdNode(facts: () => InstanceFacts): Promise<{ close(): void }> {
  return holdName<InstanceFacts>(NAME, facts, (other) => {
    const who = other ? `turnout (pid ${other.pid}, since ${other.startedAt})` : 'another turnout';
    return new TurnoutError('EINSTANCE', `${who} already serves this node`, {
      hint: 'a node is a network namespace; stop the other one first, its datapath stays in force until this one takes over',
    });
  });
}

/** The instance of this network namespace, or null. */
export const runningInstance = (): Promise<InstanceFacts | null> => holderOf<InstanceFacts>(NAME);

/** Holds a name in this network namespace until close(). Throws what `taken` makes of the facts of who has it; null: it did not say. */
export async function holdName<Facts>(
  name: string,
  facts: () => Facts,
  taken: (other: Facts | null) => Error,
): Promise<{ close(): void }> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => {});
    socket.end(`${JSON.stringify(facts())}\n`);
  });
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(addressOf(name), resolve);
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    throw taken(await holderOf<Facts>(name));
  }
  server.unref();
  return { close: () => void server.close() };
}

/** What the holder of a name says of itself, or null. */
function holderOf<Facts>(name: string): Promise<Facts | null> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(addressOf(name));
    const finish = (): void => {
      socket.destroy();
      try {
        resolve(JSON.parse(text) as Facts);
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
