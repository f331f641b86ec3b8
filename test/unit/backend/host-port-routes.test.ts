import { describe, expect, test } from 'vitest';
import { batchOf, needLine, readRoutes, readRules, standingLines } from '../../../src/backend/ebpf/host-port-routes.ts';

const address = { family: 'IPv4', destination: '10.96.0.0/12', protocol: 0, port: 0 } as const;
const port = { family: 'IPv6', destination: '2001:db8::7', protocol: 17, port: 53 } as const;

describe('lines of the host port', () => {
  test('are read back as they were written', () => {
    // As `ip -json` of iproute2 6.1 says it.
    const rules = JSON.stringify([
      { priority: 0, src: 'all', table: 'local' },
      { priority: 100, src: 'all', iif: 'lo', table: '29813' },
      { priority: 100, src: 'all', dst: 'fd74:7572:6e6f:7574::', dstlen: 64, table: '29813' },
      { priority: 100, src: 'all', dst: '2001:db8::7', iif: 'lo', ipproto: 'udp', dport: 53, table: '29814' },
      { priority: 32766, src: 'all', table: 'main' },
    ]);
    const standing = [...standingLines('IPv6', 'fd50::11')].filter(([name]) => name.startsWith('rule'));
    expect(new Map(readRules(rules))).toEqual(new Map([...standing, needLine(port, '')]));
    const [ours, theirs] = [
      { gateway: '169.254.116.254', dev: 'turnout0', flags: ['onlink'] },
      { scope: 'link', flags: [] },
    ];
    const routes = JSON.stringify([
      { dst: '10.96.0.0/12', ...ours, prefsrc: '192.0.2.1' },
      { dst: '169.254.116.0/24', dev: 'turnout1', ...theirs },
    ]);
    const expected = new Map([needLine(address, '192.0.2.1'), ...[...standingLines('IPv4', '')].slice(0, 1)]);
    expect(new Map(readRoutes(routes, 29_813))).toEqual(expected);
  });

  test('name a protocol by its number where the system does not know names', () => {
    const rule = { priority: 100, dst: '2001:db8::7', iif: 'lo', ipproto: 'ipproto-17', dport: 53, table: '29814' };
    expect([...readRules(JSON.stringify([rule]))]).toEqual([needLine(port, '')]);
  });

  test('of a table that does not exist are none', () => {
    expect(readRoutes('[', 29_813).size).toBe(0);
  });

  test('change only what differs; a route is there before its rule, and goes after it', () => {
    const wanted = new Map([needLine(address, '192.0.2.1'), ...standingLines('IPv4', '192.0.2.1')]);
    expect(batchOf(wanted.keys(), new Map(wanted), wanted)).toEqual([]);
    const kinds = (lines: string[]): string[] => lines.map((line) => line.split(' ').slice(0, 2).join(' '));
    expect(kinds(batchOf(wanted.keys(), new Map(), wanted))).toEqual([
      ...Array<string>(4).fill('route replace'),
      ...Array<string>(2).fill('rule add'),
    ]);
    expect(kinds(batchOf(wanted.keys(), wanted, new Map()))).toEqual([
      ...Array<string>(2).fill('rule del'),
      ...Array<string>(4).fill('route del'),
    ]);
    const moved = new Map([needLine(address, '192.0.2.2')]);
    expect(batchOf(moved.keys(), wanted, moved)).toEqual([
      'route replace 10.96.0.0/12 via 169.254.116.254 dev turnout0 onlink src 192.0.2.2 table 29813',
    ]);
  });
});
