// Runs inside a namespace: listens, connects, holds connections, as it is told on standard input. Ends when that ends.
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { connect, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { sendBulk } from './agent-bulk.ts';
import {
  type Address,
  type AgentRequest,
  type AnswersReport,
  type ConnectRequest,
  type HoldReport,
  hostPort,
  type Outcome,
} from './agent-protocol.ts';
import { connectSctp, listenSctp } from './agent-sctp.ts';

const DEFAULT_TIMEOUT_MS = 2000;
const BYE = 'bye\n'; // the echo server then closes first
const udpType = (address: string): 'udp4' | 'udp6' => (address.includes(':') ? 'udp6' : 'udp4');

const accepted = new Map<number, Set<Socket>>(); // by the port of the server

function listenTcp(address: string, port: number): Promise<void> {
  const open = new Set<Socket>();
  accepted.set(port, open);
  const server = createServer({ noDelay: true }, (socket) => {
    open.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => open.delete(socket));
    socket.on('data', (data) => void (data.toString() === BYE && socket.end()));
    socket.write(
      `${hostPort(socket.localAddress ?? '', socket.localPort ?? 0)} ${hostPort(socket.remoteAddress ?? '', socket.remotePort ?? 0)}\n`,
    );
    socket.pipe(socket);
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: address, port, backlog: 2048 }, resolve);
  });
}

function listenUdp(address: string, port: number): Promise<void> {
  const socket = createSocket({ type: udpType(address), ...(address.includes(':') && { ipv6Only: true }) });
  socket.on('message', (_, peer) =>
    socket.send(`${hostPort(address, port)} ${hostPort(peer.address, peer.port)}`, peer.port, peer.address),
  );
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(port, address, () => {
      socket.on('error', () => {});
      resolve();
    });
  });
}

interface Open {
  readonly outcome: Outcome;
  readonly tcp?: Socket;
  readonly udp?: UdpSocket;
  readonly target?: Address; // of an unconnected UDP socket
  failed?: string; // with what a UDP socket failed while nobody waited for it
}

const failed = (error: string): Open => ({ outcome: { ok: false, error } });

function answer(text: string, named: string): Outcome {
  const [endpoint = '', peer = ''] = text.trim().split(' ');
  return { ok: true, endpoint, peer, named };
}

function openTcp(request: ConnectRequest): Promise<Open> {
  return new Promise((resolve) => {
    const { to, port, from, fromPort } = request;
    const socket = connect({
      host: to,
      port,
      noDelay: true,
      ...(from && { localAddress: from }),
      ...(fromPort && { localPort: fromPort }),
    });
    let text = '';
    const give = (error: string): void => {
      socket.destroy();
      resolve(failed(error));
    };
    socket.setTimeout(request.timeoutMs ?? DEFAULT_TIMEOUT_MS, () => give('ETIMEDOUT'));
    socket.once('error', (error: NodeJS.ErrnoException) => give(error.code ?? error.message));
    socket.once('end', () => give('EOF'));
    socket.on('data', (data) => {
      text += data.toString();
      if (!text.includes('\n')) return;
      socket.setTimeout(0);
      socket.removeAllListeners();
      socket.on('error', () => {});
      resolve({ outcome: answer(text, hostPort(socket.remoteAddress ?? '', socket.remotePort ?? 0)), tcp: socket });
    });
  });
}

function noteFailures(one: Open): Open {
  one.udp?.on('error', (error: NodeJS.ErrnoException) => {
    one.failed = error.code ?? error.message;
  });
  return one;
}

function openUdp(request: ConnectRequest, isConnected: boolean): Promise<Open> {
  const { to, port, from, fromPort, firstTo } = request;
  // Two sockets of one port, as with TCP: each hears from the peer that it is connected to.
  const socket = createSocket({ type: udpType(to), reuseAddr: fromPort !== undefined });
  return new Promise((resolve) => {
    const give = (error: string): void => {
      clearTimeout(timer);
      socket.close();
      resolve(failed(error));
    };
    const timer = setTimeout(() => give('ETIMEDOUT'), request.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    socket.once('error', (error: NodeJS.ErrnoException) => give(error.code ?? error.message));
    socket.once('message', (data, peer) => {
      clearTimeout(timer);
      socket.removeAllListeners();
      const outcome = answer(data.toString(), hostPort(peer.address, peer.port));
      resolve(noteFailures({ outcome, udp: socket, ...(!isConnected && { target: { to, port } }) }));
    });
    const payload = Buffer.alloc(request.octets ?? 8, 'x');
    const sent = (error: NodeJS.ErrnoException | null): void => {
      if (error && !(request.awaitsAfterEperm && error.code === 'EPERM')) socket.emit('error', error);
    };
    const send = (): void => {
      if (!isConnected) return socket.send(payload, port, to, sent);
      // ECONNREFUSED of an earlier datagram comes with the next one, so a second is sent when the first stays unanswered.
      const connect = (): void =>
        socket.connect(port, to, (error?: NodeJS.ErrnoException) => (error ? sent(error) : socket.send(payload, sent)));
      if (!firstTo) return connect();
      socket.connect(firstTo.port, firstTo.to, () => {
        socket.disconnect();
        connect();
      });
    };
    if (from || fromPort) socket.bind(fromPort ?? 0, from || undefined, send);
    else send();
  });
}

function open(request: ConnectRequest, index: number): Promise<Open> {
  if (request.protocol === 'TCP') return openTcp(request);
  const mode = request.udp ?? 'both';
  return openUdp(request, mode === 'connected' || (mode === 'both' && index % 2 === 0));
}

async function openMany(request: ConnectRequest, done: (one: Open) => unknown): Promise<Outcome[]> {
  if (request.protocol === 'SCTP') return await connectSctp(request, request.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  const count = request.count ?? 1;
  const outcomes: Outcome[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) {
      const index = next++;
      const one = await open(request, index);
      outcomes[index] = one.outcome;
      await done(one);
    }
  };
  await Promise.all(Array.from({ length: Math.min(request.concurrency ?? 16, count) }, lane));
  return outcomes;
}

/** By RST, so that no port is left in TIME_WAIT. */
function shut({ tcp, udp }: Open): void {
  tcp?.resetAndDestroy();
  udp?.close();
}

/** As the request wants it, to the end: the other side has closed, too. */
async function close(one: Open, how: ConnectRequest['close'] = 'reset'): Promise<void> {
  const { tcp } = one;
  if (!tcp || how === 'reset') return shut(one);
  const closed = new Promise((resolve) => tcp.once('close', resolve));
  tcp.resume();
  if (how === 'client-first') tcp.end();
  else tcp.write(BYE);
  await closed;
}

const holds = new Map<string, Open[]>();

/** The error, or '' and for UDP the endpoint that answered. */
function echo(one: Open, timeoutMs: number): Promise<{ error: string; endpoint?: string }> {
  const { tcp, udp } = one;
  return new Promise((resolve) => {
    const timer = setTimeout(() => finish('ETIMEDOUT'), timeoutMs);
    const finish = (error: string, answer = ''): void => {
      clearTimeout(timer);
      tcp?.removeAllListeners();
      tcp?.on('error', () => {});
      udp?.removeAllListeners();
      noteFailures(one);
      resolve({ error, ...(answer !== '' && { endpoint: answer.split(' ')[0] ?? '' }) });
    };
    if (tcp) {
      if (tcp.destroyed) return finish('ECLOSED');
      tcp.once('data', () => finish(''));
      tcp.once('error', (error: NodeJS.ErrnoException) => finish(error.code ?? error.message));
      tcp.once('close', () => finish('ECLOSED'));
      tcp.write('ping\n');
    } else if (udp) {
      if (one.failed === 'ECONNABORTED') return finish(one.failed); // ended from outside, which is told once
      udp.once('message', (data) => finish('', data.toString()));
      udp.once('error', (error: NodeJS.ErrnoException) => finish(error.code ?? error.message));
      udp.send('ping');
    } else {
      finish('ENOTCONN');
    }
  });
}

/** One more datagram over a held UDP socket. */
function sendAgain(one: Open, timeoutMs: number): Promise<Outcome> {
  const { udp, target, failed: error } = one;
  if (!udp || error) return Promise.resolve({ ok: false, error: error ?? 'ENOTCONN' });
  return new Promise((resolve) => {
    const finish = (outcome: Outcome): void => {
      clearTimeout(timer);
      udp.removeAllListeners();
      noteFailures(one);
      resolve(outcome);
    };
    const fail = (code: string): void => finish({ ok: false, error: code });
    const timer = setTimeout(() => fail('ETIMEDOUT'), timeoutMs);
    udp.once('message', (data, peer) => finish(answer(data.toString(), hostPort(peer.address, peer.port))));
    udp.once('error', (cause: NodeJS.ErrnoException) => fail(cause.code ?? cause.message));
    const sent = (cause: NodeJS.ErrnoException | null): void => void (cause && udp.emit('error', cause));
    if (target) udp.send('ping', target.port, target.to, sent);
    else udp.send('ping', sent);
  });
}

async function answers(name: string, timeoutMs: number): Promise<AnswersReport> {
  const held = holds.get(name) ?? [];
  const results = await Promise.all(held.map((one) => echo(one, timeoutMs)));
  return {
    held: held.length,
    alive: results.filter(({ error }) => error === '').length,
    errors: [...new Set(results.map(({ error }) => error).filter(Boolean))],
    endpoints: [...new Set(results.flatMap(({ endpoint }) => endpoint ?? []))],
  };
}

async function check(name: string, timeoutMs: number): Promise<HoldReport> {
  const { endpoints: _, ...report } = await answers(name, timeoutMs);
  return report;
}

const LISTEN = { TCP: listenTcp, UDP: listenUdp, SCTP: listenSctp };

async function handle(request: AgentRequest): Promise<unknown> {
  switch (request.op) {
    case 'listen':
      return await LISTEN[request.protocol](request.address, request.port);
    case 'connect':
      return await openMany(request, (one) => close(one, request.close));
    case 'hold': {
      if (request.protocol === 'SCTP') throw new Error('an INIT is no connection that could be held');
      const held = holds.get(request.name) ?? [];
      holds.set(request.name, held);
      return await openMany({ udp: 'connected', ...request }, (one) => (one.outcome.ok ? void held.push(one) : shut(one)));
    }
    case 'check':
      return await check(request.name, request.timeoutMs);
    case 'answers':
      return await answers(request.name, request.timeoutMs);
    case 'send':
      return await Promise.all((holds.get(request.name) ?? []).map((one) => sendAgain(one, request.timeoutMs)));
    case 'push':
      for (const socket of accepted.get(request.port) ?? []) socket.write('push\n');
      return accepted.get(request.port)?.size ?? 0;
    case 'bulk':
      return await sendBulk(request);
    case 'release':
      for (const one of holds.get(request.name) ?? []) shut(one);
      return holds.delete(request.name);
  }
}

const input = createInterface({ input: process.stdin });
input.on('line', (line) => {
  const { id, ...request } = JSON.parse(line) as { id: number } & AgentRequest;
  handle(request as AgentRequest).then(
    (result) => process.stdout.write(`${JSON.stringify({ id, result: result ?? null })}\n`),
    (error: Error) => process.stdout.write(`${JSON.stringify({ id, error: error.message })}\n`),
  );
});
input.on('close', () => process.exit(0));
