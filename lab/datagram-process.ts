// One ordinary UDP socket (datagram-socket.ts starts this): prints a line for each datagram, sends what standard input asks for.
//   node datagram-process.ts ADDRESS PORT [echo]
import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { createInterface } from 'node:readline';
import { type Datagram, payload, type SendRequest } from './datagram-socket.ts';

const [address = '', port = '', mode = ''] = process.argv.slice(2);
const print = (value: object): boolean => process.stdout.write(`${JSON.stringify(value)}\n`);
const socket = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4', recvBufferSize: 1 << 20 });
socket.on('message', (data, { address: from, port: fromPort }) => {
  const sha256 = createHash('sha256').update(data).digest('hex');
  print({ from, fromPort, octets: data.length, sha256 } satisfies Datagram);
  if (mode === 'echo') socket.send(data, fromPort, from);
});
socket.on('error', ({ message }) => print({ error: message }));
socket.bind(Number(port), address, () => print({ ready: true }));
const input = createInterface({ input: process.stdin });
input.on('line', (line) => {
  const { to, toPort, octets, seed } = JSON.parse(line) as SendRequest;
  socket.send(payload(octets, seed), toPort, to, (error) => void (error && print({ error: error.message })));
});
input.on('close', () => process.exit(0));
