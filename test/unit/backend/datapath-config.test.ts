import { describe, expect, test } from 'vitest';
import { datapathConfig } from '../../../src/backend/ebpf/datapath-config.ts';
import { loadConfig } from '../../../src/config/load-config.ts';
import type { DatapathConfig } from '../../../src/datapath/layout.gen.ts';

function configOf(flags: Record<string, string>): DatapathConfig {
  const texts = new Map(Object.entries(flags).map(([flag, text]) => [flag, [text]]));
  const { config } = loadConfig({ flags: texts, file: null, hostname: 'node-a' });
  return datapathConfig(config, [], 0n);
}

/** On loopback of which family node ports are served. */
function localhostOf(flags: Record<string, string>): string[] {
  const { localhostNodePortsV4, localhostNodePortsV6 } = configOf(flags);
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

describe('timeouts of flows', () => {
  const secondsOf = ({ tcpEstablishedNs, tcpCloseWaitNs, udpUnrepliedNs, udpStreamNs }: DatapathConfig): number[] =>
    [tcpEstablishedNs, tcpCloseWaitNs, udpUnrepliedNs, udpStreamNs].map((ns) => Number(ns / 1_000_000_000n));
  const settings = (established: string, closeWait: string, udp: string, udpStream: string): Record<string, string> => ({
    'conntrack-tcp-timeout-established': established,
    'conntrack-tcp-timeout-close-wait': closeWait,
    'conntrack-udp-timeout': udp,
    'conntrack-udp-timeout-stream': udpStream,
  });

  test('are those that are set for conntrack', () => {
    expect(secondsOf(configOf(settings('7s', '5m', '11s', '1h')))).toEqual([7, 300, 11, 3600]);
  });

  test("are kube-proxy's and the kernel's where nothing is set, or zero", () => {
    expect(secondsOf(configOf({}))).toEqual([86_400, 3600, 30, 120]);
    expect(secondsOf(configOf(settings('0s', '0s', '0s', '0s')))).toEqual([86_400, 3600, 30, 120]);
  });
});
