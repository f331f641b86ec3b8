// The lab's own SCTP, without any Service: what later tests say about SCTP rests on it.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Lab } from '../../lab/lab.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { cable } from '../../lab/pod-network.ts';
import { FAMILIES } from './traffic.ts';

const CLIENT = { IPv4: '192.0.2.1', IPv6: '2001:db8::1' };
const OTHER_CLIENT = { IPv4: '192.0.2.3', IPv6: '2001:db8::3' };
const SERVER = { IPv4: '192.0.2.2', IPv6: '2001:db8::2' };
const OTHER_SERVER = { IPv4: '192.0.2.4', IPv6: '2001:db8::4' };
const OTHER_LINK = { IPv4: ['198.51.100.1', '198.51.100.2'], IPv6: ['2001:db8:1::1', '2001:db8:1::2'] } as const;
const bracketed = (address: string): string => (address.includes(':') ? `[${address}]` : address);

describe.each(FAMILIES)('SCTP by raw %s packets between two namespaces', (family) => {
  let lab: Lab;
  let client: Namespace;
  let server: Namespace;
  const command = family === 'IPv4' ? 'iptables' : 'ip6tables';
  const length = family === 'IPv4' ? 24 : 64;

  beforeAll(async () => {
    lab = new Lab();
    client = lab.namespace('client');
    server = lab.namespace('server');
    cable(client, 'eth0', server, 'eth0');
    for (const address of [CLIENT[family], OTHER_CLIENT[family]]) client.ip(`addr add ${address}/${length} dev eth0`);
    for (const address of [SERVER[family], OTHER_SERVER[family]]) server.ip(`addr add ${address}/${length} dev eth0`);
    server.sysctl('net.ipv4.icmp_ratelimit=0', 'net.ipv4.icmp_msgs_per_sec=10000', 'net.ipv6.icmp.ratelimit=0');
    await server.agent.listen('SCTP', SERVER[family], 132);
    await server.agent.listen('SCTP', '::', 133);
  });
  afterAll(() => lab?.close());

  const send = (to: string, port: number, more = {}) =>
    client.agent.connect({ protocol: 'SCTP', to, port, timeoutMs: 1500, ...more });

  test('an INIT is answered by the place it was sent to, which tells whom it saw', async () => {
    const [outcome] = await send(SERVER[family], 132, { from: CLIENT[family], fromPort: 40000 });
    expect(outcome).toEqual({
      ok: true,
      endpoint: `${bracketed(SERVER[family])}:132`,
      peer: `${bracketed(CLIENT[family])}:40000`,
      named: `${bracketed(SERVER[family])}:132`,
    });
  });

  test('many tries have a source port each, from the source address that was asked for', async () => {
    const outcomes = await send(OTHER_SERVER[family], 133, { count: 300, from: OTHER_CLIENT[family] });
    const peers = outcomes.map((one) => (one.ok ? one.peer : one.error));
    expect(peers.filter((peer) => !peer.startsWith(`${bracketed(OTHER_CLIENT[family])}:`))).toEqual([]);
    expect(new Set(peers).size).toBe(300);
  });

  test('a port where nobody listens refuses, and so does an address with a server elsewhere', async () => {
    expect(await send(SERVER[family], 134)).toEqual([{ ok: false, error: 'ECONNREFUSED' }]);
    expect(await send(OTHER_SERVER[family], 132)).toEqual([{ ok: false, error: 'ECONNREFUSED' }]);
  });

  test('ICMP port unreachable refuses the tries it quotes and no others', async () => {
    server.run(command, '-A', 'INPUT', '-p', 'sctp', '--dport', '132', '-j', 'REJECT');
    const [refused, answered] = await Promise.all([
      send(SERVER[family], 132, { count: 20 }),
      send(SERVER[family], 133, { count: 20 }),
    ]);
    server.run(command, '-F', 'INPUT');
    expect(refused).toEqual(Array.from({ length: 20 }, () => ({ ok: false, error: 'ECONNREFUSED' })));
    expect(answered.every((one) => one.ok)).toBe(true);
  });

  test('silence is a timeout', async () => {
    server.run(command, '-A', 'INPUT', '-p', 'sctp', '-j', 'DROP');
    const outcomes = await send(SERVER[family], 132, { timeoutMs: 500 });
    server.run(command, '-F', 'INPUT');
    expect(outcomes).toEqual([{ ok: false, error: 'ETIMEDOUT' }]);
  });

  test('a namespace without SCTP of any kind says so, which is no refusal', async () => {
    const bare = lab.namespace('bare');
    cable(client, 'eth1', bare, 'eth0');
    const [near, far] = OTHER_LINK[family];
    client.ip(`addr add ${near}/${length} dev eth1`);
    bare.ip(`addr add ${far}/${length} dev eth0`);
    expect(await send(far, 132)).toEqual([{ ok: false, error: family === 'IPv4' ? 'ENOPROTOOPT' : 'EPROTO' }]);
  });

  test('an answer from another address than the one asked is refused, and one with a wrong checksum too', async () => {
    const nat = (verdict: string): void => {
      const nft = `table inet t { chain c { type filter hook output priority 0; ip${family === 'IPv4' ? '' : '6'} saddr ${SERVER[family]} sctp sport 132 ${verdict}; }; }`;
      server.run('nft', nft);
    };
    nat(`ip${family === 'IPv4' ? '' : '6'} saddr set ${OTHER_SERVER[family]}`);
    expect(await send(SERVER[family], 132)).toEqual([
      { ok: false, error: `EWRONGSOURCE:${bracketed(OTHER_SERVER[family])}:132` },
    ]);
    server.run('nft', 'delete table inet t');
    nat('@th,96,8 set 6');
    expect(await send(SERVER[family], 132)).toEqual([{ ok: false, error: 'EBADCRC' }]);
    server.run('nft', 'delete table inet t');
  });
});
