import { describe, expect, test } from 'vitest';
import { datapathConfig } from '../../../src/backend/ebpf/datapath-config.ts';
import { loadConfig } from '../../../src/config/load-config.ts';

/** On loopback of which family node ports are served. */
function localhostOf(flags: Record<string, string>): string[] {
  const texts = new Map(Object.entries(flags).map(([flag, text]) => [flag, [text]]));
  const { config } = loadConfig({ flags: texts, file: null, hostname: 'node-a' });
  const { localhostNodePortsV4, localhostNodePortsV6 } = datapathConfig(config, [], 0n);
  return [...(localhostNodePortsV4 ? ['IPv4'] : []), ...(localhostNodePortsV6 ? ['IPv6'] : [])];
}

describe('node ports on loopback', () => {
  test.each<[string, string[]]>([
    ['', ['IPv4', 'IPv6']],
    ['all', ['IPv4', 'IPv6']],
    ['localhost', ['IPv4', 'IPv6']],
    ['primary', []],
    ['primary,localhost', ['IPv4', 'IPv6']],
    ['127.0.0.0/8', ['IPv4', 'IPv6']], // a family without a block is served on all of its addresses
    ['10.0.0.0/8', ['IPv6']],
    ['10.0.0.0/8,fd00::/8', []],
    ['64.0.0.0/2,fd00::/8', ['IPv4']],
  ])('with nodePortAddresses "%s" are served for %j', (nodePortAddresses, families) => {
    expect(localhostOf({ 'nodeport-addresses': nodePortAddresses })).toEqual(families);
  });

  test('are not served when that is switched off', () => {
    expect(localhostOf({ 'iptables-localhost-nodeports': 'false' })).toEqual([]);
  });
});
