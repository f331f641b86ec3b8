// Connects UDP sockets to one of our own, lists them, destroys one after the other, and prints what came of it.
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { UdpSocket } from '../../../src/native/addon.ts';
import { SockDiag } from '../../../src/native/sock-diag.ts';

const [address = '', type = 'udp4'] = process.argv.slice(2);

async function bound(at: string): Promise<Socket> {
  const socket = createSocket({ type: type as 'udp4' | 'udp6' });
  socket.bind(0, at);
  await once(socket, 'listening');
  return socket;
}

async function connected(to: number): Promise<Socket> {
  const socket = await bound('');
  socket.connect(to, address);
  await once(socket, 'connect');
  return socket;
}

const server = await bound(type === 'udp4' ? '0.0.0.0' : '::');
server.on('message', (data, peer) => server.send(data, peer.port, peer.address));
const { port } = server.address();
const [first, second] = [await connected(port), await connected(port)];

const ports = [first.address().port, second.address().port]; // a destroyed socket has none
const listed = SockDiag.listConnectedUdp();
const [one, two] = ports.map((own) => listed.find(({ localPort }) => localPort === own));
if (!one) throw new Error('the first socket is not listed');

const code = async (socket: Socket): Promise<string> => {
  const failed = once(socket, 'error') as unknown as Promise<[{ code: string }]>;
  const [error] = (await Promise.race([failed, once(socket, 'message').then(() => [{ code: 'answered' }])])) as [
    { code: string },
  ];
  return error.code;
};
function refusal(socket: UdpSocket): string {
  try {
    SockDiag.destroyUdp(socket);
    return '';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

const strangers = refusal({ ...one, cookie: one.cookie + 1000n });
const heard = code(first);
const destroyed = refusal(one);
const firstGot = await heard;
const again = refusal(one);
const left = SockDiag.listConnectedUdp().map(({ localPort }) => localPort);
const answer = code(second);
second.send('still there');
const secondGot = await answer;
console.log(
  JSON.stringify({
    one: { ...one, cookie: typeof one.cookie, localPort: one.localPort === ports[0] },
    hasPort: one.remotePort === port,
    cookiesDiffer: one.cookie !== two?.cookie,
    unconnected: listed.some((socket) => socket.localPort === port),
    ...{ strangers, destroyed, firstGot, again, secondGot },
    left: left.filter((localPort) => ports.includes(localPort)).length,
  }),
);
first.close();
second.close();
server.close();
