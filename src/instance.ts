// One turnout for each node: an abstract Unix socket belongs to a network namespace and goes with its process, however it ends.
// Who connects is told about the instance in a line of JSON; who then asks, in another line, gets a line of answer.
import { connect, createServer, type Server } from 'node:net';
import { TurnoutError } from './errors.ts';

const NAME = 'turnout';
const ANSWER_MS = 1000;
const MAX_REQUEST = 64 * 1024;
/** Who connects has asked, and has taken the answer, within this time of silence: connections cost files, and anybody may make them. */
const SILENCE_MS = 5000;

/** A leading NUL makes an address abstract: no file, nothing to clean up. */
const addressOf = (name: string): string => `\0${name}`;

export interface InstanceFacts {
  readonly pid: number;
  readonly startedAt: string; // RFC 3339
  readonly version: string;
  readonly proxyMode: string;
  readonly pinFolder: string;
}

/** What may be asked: a word and what belongs to it. */
export interface InstanceRequest {
  readonly ask: string;
  readonly [field: string]: unknown;
}

/** Answers a request, or throws; a TurnoutError reaches the asker as one. */
export type InstanceAnswer = (request: InstanceRequest) => unknown;

/** Holds the node until close(). Throws TurnoutError EINSTANCE when another instance has it. */
export function holdNode(facts: () => InstanceFacts, answer?: InstanceAnswer): Promise<{ close(): void }> {
  const taken = (other: InstanceFacts | null): TurnoutError => {
    const who = other ? `turnout (pid ${other.pid}, since ${other.startedAt})` : 'another turnout';
    return new TurnoutError('EINSTANCE', `${who} already serves this node`, {
      hint: 'a node is a network namespace; stop the other one first, its datapath stays in force until this one takes over',
    });
  };
  return holdName(NAME, facts, taken, answer);
}

/** The instance of this network namespace, or null. */
export const runningInstance = (): Promise<InstanceFacts | null> => holderOf<InstanceFacts>(NAME);

/** What the instance of this network namespace answers; null: there is none. Throws the TurnoutError that the instance threw. */
export async function askInstance<T>(request: InstanceRequest, timeoutMs: number): Promise<T | null> {
  const [facts, reply] = await linesOf(NAME, `${JSON.stringify(request)}\n`, timeoutMs);
  if (facts === undefined) return null;
  const { answer, error } = (reply ?? {}) as { answer?: T; error?: { code: string; message: string; hint: string } };
  if (error) throw new TurnoutError(error.code, error.message, { hint: error.hint });
  if (answer === undefined) {
    throw new TurnoutError('ENOANSWER', `the running turnout gave no answer within ${timeoutMs / 1000} s`, {
      hint: 'its log tells what it is doing',
    });
  }
  return answer;
}

/** Holds a name in this network namespace until close(). Throws what `taken` makes of the facts of who has it; null: it did not say. */
export async function holdName<Facts>(
  name: string,
  facts: () => Facts,
  taken: (other: Facts | null) => Error,
  answer: InstanceAnswer = unknownRequest,
  silenceMs = SILENCE_MS,
): Promise<{ close(): void }> {
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    socket.setTimeout(silenceMs, () => socket.destroy());
    socket.write(`${JSON.stringify(facts())}\n`);
    let text = '';
    let isAsked = false;
    socket.on('data', (data: Buffer) => {
      text += data.toString();
      const end = text.indexOf('\n');
      if (text.length > MAX_REQUEST) socket.destroy();
      if (end < 0 || isAsked) return;
      isAsked = true;
      socket.setTimeout(0); // an answer may take its time
      void answered(answer, text.slice(0, end)).then((line) => {
        socket.end(line);
        socket.setTimeout(silenceMs, () => socket.destroy());
      });
    });
    socket.on('end', () => {
      if (!isAsked) socket.end();
    });
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

function unknownRequest({ ask }: InstanceRequest): never {
  throw new TurnoutError('EUNKNOWNREQUEST', `the running turnout does not know what "${ask}" asks for`, {
    hint: 'it may be of another version: `turnout status` tells',
  });
}

async function answered(answer: InstanceAnswer, line: string): Promise<string> {
  try {
    return `${JSON.stringify({ answer: (await answer(JSON.parse(line) as InstanceRequest)) ?? null })}\n`;
  } catch (error) {
    const { code = 'ERROR', hint = '' } = error as { code?: string; hint?: string };
    return `${JSON.stringify({ error: { code, message: error instanceof Error ? error.message : String(error), hint } })}\n`;
  }
}

/** What the holder of a name says of itself, or null. */
async function holderOf<Facts>(name: string): Promise<Facts | null> {
  const [facts] = await linesOf(name, '', ANSWER_MS);
  return (facts as Facts | undefined) ?? null;
}

/** Lines that the holder of a name says, until it ends or time is up; what is no JSON ends them. */
function linesOf(name: string, request: string, timeoutMs: number): Promise<unknown[]> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(addressOf(name));
    const finish = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(parsedLines(text));
    };
    const timer = setTimeout(finish, timeoutMs);
    socket.on('data', (data: Buffer) => {
      text += data.toString();
    });
    socket.on('error', finish);
    socket.on('end', finish);
    socket.end(request);
  });
}

function parsedLines(text: string): unknown[] {
  const values: unknown[] = [];
  for (const line of text.split('\n').filter(Boolean)) {
    try {
      values.push(JSON.parse(line));
    } catch {
      return values;
    }
  }
  return values;
}
