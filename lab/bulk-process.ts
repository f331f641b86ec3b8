// One TCP connection to an echo server of the lab: sends OCTETS, reads as many, prints what came back. Ends with the connection.
//   node bulk-process.ts ADDRESS PORT OCTETS TIMEOUT_MS
import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { payload, payloadHash } from './datagram-socket.ts';

const [host = '', port = '', size = '', timeoutMs = ''] = process.argv.slice(2);
const octets = Number(size);
const hash = createHash('sha256');
let greeted = false;
let received = 0;
const socket = connect({ host, port: Number(port) });
const end = (error: string): never => {
  process.stdout.write(`${JSON.stringify({ received, error })}\n`);
  process.exit(0);
};
setTimeout(() => end('ETIMEDOUT'), Number(timeoutMs));
socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
socket.on('connect', () => socket.write(payload(octets, 1)));
socket.on('data', (data) => {
  // The server's first line says who it is.
  const rest = greeted ? data : data.subarray(data.indexOf('\n') + 1);
  greeted = true;
  hash.update(rest);
  received += rest.length;
  if (received < octets) return;
  end(hash.digest('hex') === payloadHash(octets, 1) ? '' : 'EHASH');
});
