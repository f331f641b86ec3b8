// unix-forward.ts SOCKET PORT: a Unix socket in the file system that leads to a port of this namespace's loopback, so that a process
// of another network namespace can reach it.
import { connect, createServer } from 'node:net';

const [, , path = '', port = ''] = process.argv;
const server = createServer({ allowHalfOpen: true }, (near) => {
  const far = connect({ host: '127.0.0.1', port: Number(port), noDelay: true, allowHalfOpen: true });
  near.pipe(far).pipe(near);
  for (const [one, other] of [
    [near, far],
    [far, near],
  ] as const) {
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
  }
});
server.listen(path);
