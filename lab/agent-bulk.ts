// Much data over one TCP connection, to an echo server and back, compared by its hash.
import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import type { BulkReport, BulkRequest } from './agent-protocol.ts';

const CHUNK_OCTETS = 65_536;

/** Chunk `number`: no two are alike, so that what is lost, doubled or mixed up shows. */
function chunk(number: number): Buffer {
  const data = Buffer.alloc(CHUNK_OCTETS);
  for (let at = 0; at < CHUNK_OCTETS; at += 4) data.writeUInt32LE((number * 0x9e3779b1 + at * 0x85ebca6b) >>> 0, at);
  return data;
}

export function sendBulk({ to, port, octets, timeoutMs }: BulkRequest): Promise<BulkReport> {
  const [sent, received] = [createHash('sha256'), createHash('sha256')];
  const socket = connect({ host: to, port, noDelay: true });
  return new Promise((resolve, reject) => {
    let hasGreeting = false; // the echo server's first line, which is no echo
    let left = octets;
    let next = 0;
    const write = (): void => {
      while (next * CHUNK_OCTETS < octets) {
        const data = chunk(next++).subarray(0, octets - (next - 1) * CHUNK_OCTETS);
        sent.update(data);
        if (!socket.write(data)) return;
      }
    };
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`${left} of ${octets} octets did not come back`)));
    socket.on('error', reject).on('drain', write);
    socket.on('data', (data) => {
      const echo = hasGreeting ? data : data.subarray(data.indexOf('\n') + 1);
      if (!hasGreeting) {
        hasGreeting = true;
        write();
      }
      received.update(echo);
      left -= echo.length;
      if (left > 0) return;
      socket.resetAndDestroy();
      resolve({ sent: sent.digest('hex'), received: received.digest('hex') });
    });
  });
}
