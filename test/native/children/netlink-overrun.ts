// In a namespace: more changes than a small receive buffer holds, while JavaScript does not listen. Then one more.

import { execFileSync } from 'node:child_process';
import { Netlink } from '../../../src/native/netlink.ts';

const addresses = Array.from({ length: 500 }, (_, i) => `addr add 10.9.${i >> 8}.${i & 255}/32 dev v0`).join('\n');
let overruns = 0;
await new Promise<void>((resolve) => {
  const following = Netlink.follow(
    (event) => {
      if (event.kind === 'overrun' && overruns++ === 0) execFileSync('ip', ['addr', 'add', '10.10.10.10/32', 'dev', 'v0']);
      if (event.kind !== 'address' || event.address.address !== '10.10.10.10') return;
      following.close();
      resolve();
    },
    { receiveBufferBytes: 4096 },
  );
  execFileSync('ip', ['-batch', '-'], { input: addresses });
});
console.log(JSON.stringify([overruns > 0, Netlink.listAddresses().filter((a) => a.address.startsWith('10.9.')).length]));
