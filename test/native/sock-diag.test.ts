import { expect, test } from 'vitest';
import { inNetns, pairOfNetns, runChild } from './child.ts';

test.each([
  { what: 'an IPv4 socket', type: 'udp4', address: '192.0.2.1', family: 4 },
  { what: 'an IPv6 socket', type: 'udp6', address: '2001:db8::1', family: 6 },
  { what: 'an IPv6 socket that talks IPv4', type: 'udp6', address: '::ffff:192.0.2.1', family: 6 },
])(
  '$what is listed while it is connected, and only the one whose cookie is given is destroyed',
  async ({ type, address, family }) => {
    const { near } = pairOfNetns();
    expect(await runChild('sock-diag', [address, type], inNetns(near))).toEqual({
      one: {
        ...{ family, localAddress: address, localPort: true, remoteAddress: address, remotePort: expect.any(Number) },
        ...{ ifindex: 0, cookie: 'bigint' },
      },
      hasPort: true,
      cookiesDiffer: true,
      unconnected: false,
      strangers: 'ENOENT',
      destroyed: '',
      firstGot: 'ECONNABORTED',
      again: 'ENOENT',
      secondGot: 'answered',
      left: 1,
    });
  },
);
