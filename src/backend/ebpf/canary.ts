// A Service of our own that nobody else sees: its addresses are loopback ones, its endpoint is a listener here. A connection of our own to it
// proves by doing that the socket programs work. That links are in force does not prove it: they may hang on a cgroup that no process is in.
//   front: a socket of ours that holds the Service's address and port, so that what was not translated arrives here too, and nowhere else
//   back:  the endpoint
import { createSocket, type Socket as Datagrams } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { reasonOf } from '../../errors.ts';
import type { IpFamily, Protocol, ServicePort } from '../../state/model.ts';

/** Namespace of the canary's units: no Service can have it. */
export const CANARY_NAMESPACE = '';
const FRONT: Readonly<Record<IpFamily, string>> = { IPv4: '127.116.116.1', IPv6: '::1' };
const BACK: Readonly<Record<IpFamily, string>> = { IPv4: '127.0.0.1', IPv6: '::1' };
const FAMILIES = ['IPv4', 'IPv6'] as const;
const ANSWER_MS = 2000;
const QUESTION = '?';

interface Listener {
  readonly port: number;
  close(): void;
}

interface Pair {
  readonly family: IpFamily;
  readonly protocol: Protocol & ('TCP' | 'UDP');
  readonly front: Listener;
  readonly back: Listener;
}

export interface CanaryProof {
  readonly hook: string;
  readonly failure: string; // '' : it works
  readonly unproven?: string; // why it is not known whether it does
}

export class SocketCanary {
  readonly #pairs: Pair[] = [];

  /** Opens the listeners; a family that the machine has not stays out. */
  async open(): Promise<void> {
    for (const family of FAMILIES) {
      for (const [protocol, listen] of [
        ['TCP', listenTcp],
        ['UDP', listenUdp],
      ] as const) {
        try {
          const front = await listen(FRONT[family], 'front');
          const back = await listen(BACK[family], 'back');
          this.#pairs.push({ family, protocol, front, back });
        } catch (error) {
          if (!['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EINVAL'].includes((error as { code?: string }).code ?? '')) throw error;
        }
      }
    }
  }

  /** To be programmed beside the Services of the cluster. */
  get units(): ServicePort[] {
    return this.#pairs.map(({ family, protocol, front, back }) => ({
      key: `${CANARY_NAMESPACE}/canary:${protocol.toLowerCase()}/${protocol}/${family}`,
      ...{ namespace: CANARY_NAMESPACE, name: 'canary', portName: protocol.toLowerCase(), protocol, ipFamily: family },
      // No ClusterIP: the other ports of a loopback address are none of ours.
      ...{ clusterIP: '', port: front.port, nodePort: 0, externalIPs: [FRONT[family]], loadBalancerVIPs: [], sourceRanges: [] },
      ...{ internalTrafficPolicy: 'Cluster', externalTrafficPolicy: 'Cluster', sessionAffinitySeconds: 0 },
      clusterEndpoints: [{ ip: BACK[family], port: back.port, isLocal: false, ready: true, serving: true, terminating: false }],
      ...{ localEndpoints: [], lingeringEndpoints: [], hasEndpoints: true },
    }));
  }

  /** One connection or datagram for each family and protocol. */
  async run(): Promise<CanaryProof[]> {
    const proofs = await Promise.all(
      this.#pairs.map(({ family, protocol, front }) => (protocol === 'TCP' ? probeTcp : probeUdp)(family, front.port)),
    );
    return proofs.flat();
  }

  close(): void {
    for (const { front, back } of this.#pairs.splice(0)) {
      front.close();
      back.close();
    }
  }
}

async function listenTcp(address: string, name: string): Promise<Listener> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => {});
    socket.end(name);
  });
  server.maxConnections = 16;
  server.listen({ host: address, port: 0, exclusive: true });
  await once(server, 'listening');
  server.unref();
  return { port: (server.address() as { port: number }).port, close: () => void server.close() };
}

async function listenUdp(address: string, name: string): Promise<Listener> {
  const socket = datagrams(address);
  socket.bind({ address, port: 0, exclusive: true });
  await once(socket, 'listening');
  // Only to this machine: the address is a loopback one.
  socket.on('message', (message, { port, address: from }) => {
    if (message.toString('latin1') === QUESTION) socket.send(name, port, from); // an answer is no question: two of these never talk on
  });
  socket.on('error', () => {});
  socket.unref();
  return { port: socket.address().port, close: () => socket.close() };
}

const datagrams = (address: string): Datagrams => createSocket({ type: address.includes(':') ? 'udp6' : 'udp4' });

async function probeTcp(family: IpFamily, port: number): Promise<CanaryProof[]> {
  const digit = family === 'IPv4' ? 4 : 6;
  const socket: Socket = connect({ host: FRONT[family], port });
  try {
    const signal = AbortSignal.timeout(ANSWER_MS);
    await once(socket, 'connect', { signal });
    const peerPort = socket.remotePort;
    const [data] = (await once(socket, 'data', { signal })) as [Buffer];
    return [
      { hook: `connect${digit}`, failure: arrived(data.toString('latin1')) },
      { hook: `getpeername${digit}`, failure: peerPort === port ? '' : 'getpeername() does not say the Service' },
    ];
  } catch (error) {
    return [{ hook: `connect${digit}`, failure: failureOf(error) }];
  } finally {
    socket.destroy();
  }
}

async function probeUdp(family: IpFamily, port: number): Promise<CanaryProof[]> {
  const digit = family === 'IPv4' ? 4 : 6;
  const socket = datagrams(FRONT[family]);
  try {
    const answered = once(socket, 'message', { signal: AbortSignal.timeout(ANSWER_MS) });
    socket.send(QUESTION, port, FRONT[family]);
    const [data, from] = (await answered) as [Buffer, { port: number }];
    return [
      { hook: `sendmsg${digit}`, failure: arrived(data.toString('latin1')) },
      { hook: `recvmsg${digit}`, failure: from.port === port ? '' : 'recvmsg() does not say the Service' },
    ];
  } catch (error) {
    return [{ hook: `sendmsg${digit}`, failure: failureOf(error) }];
  } finally {
    socket.close();
  }
}

const arrived = (name: string): string => (name === 'back' ? '' : 'what was sent to a Service arrived untranslated');

function failureOf(error: unknown): string {
  if ((error as { name?: string }).name === 'AbortError') return `no answer within ${ANSWER_MS / 1000} s`;
  return reasonOf(error);
}
