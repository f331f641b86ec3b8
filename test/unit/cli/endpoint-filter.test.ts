import { describe, expect, test } from 'vitest';
import {
  matchesEndpoint,
  matchesService,
  parseEndpointFilter,
  parseServiceFilter,
  serviceText,
} from '../../../src/cli/endpoint-filter.ts';
import { TurnoutError } from '../../../src/errors.ts';
import { parseIp } from '../../../src/state/ip.ts';

const octets = (address: string): Uint8Array => parseIp(address) ?? new Uint8Array(16);

function refusal(parse: () => unknown): TurnoutError {
  try {
    parse();
  } catch (error) {
    if (error instanceof TurnoutError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('ADDRESS|CIDR[:PORT]', () => {
  test.each([
    ['10.244.1.10', '10.244.1.10', 4000, true],
    ['10.244.1.10', '10.244.1.11', 4000, false],
    ['10.244.1.10:4000', '10.244.1.10', 4000, true],
    ['10.244.1.10:4000', '10.244.1.10', 4001, false],
    ['10.244.0.0/16', '10.244.9.9', 1, true],
    ['10.244.0.0/16', '10.245.0.1', 1, false],
    ['10.244.0.0/16:80', '10.244.9.9', 80, true],
    ['10.244.0.0/16:80', '10.244.9.9', 81, false],
    ['0.0.0.0/0', '1.2.3.4', 1, true],
    ['0.0.0.0/0', 'fd00::1', 1, false],
    ['fd00::1', 'fd00::1', 1, true],
    ['fd00::/16', 'fd00:1::1', 1, true],
    ['[fd00::1]', 'fd00::1', 1, true],
    ['[fd00::1]:80', 'fd00::1', 80, true],
    ['[fd00::1]:80', 'fd00::1', 81, false],
    ['[fd00::/64]:80', 'fd00::2', 80, true],
    ['::/0', 'fd00::1', 1, true],
    ['::/0', '1.2.3.4', 1, false],
    [':443', 'fd00::1', 443, true],
    [':443', '1.2.3.4', 80, false],
  ])('%s and %s port %i: %s', (filter, address, port, isMatch) => {
    expect(matchesEndpoint(parseEndpointFilter('client', filter), octets(address), port)).toBe(isMatch);
  });

  test.each([
    ['10.0.0.0/33', 'prefix length from 0 to 32 at character 10'],
    ['10.0.0.0/x:80', 'prefix length from 0 to 32 at character 10'],
    ['fd00::/129', 'prefix length from 0 to 128 at character 8'],
    ['10.0.0', 'an IP address at character 1, and "10.0.0" is none'],
    ['web', 'an IP address at character 1'],
    ['[fe80::x]:80', 'an IP address at character 2'],
    ['[fd00::1', 'close the [ at character 1'],
    ['[fd00::1]80', 'a : and a port, or nothing, at character 10'],
    ['[]:80', 'an address at character 2'],
    ['10.0.0.1:', 'a port from 1 to 65535 at character 10'],
    ['10.0.0.1:65536', 'a port from 1 to 65535 at character 10'],
    ['[fd00::1]:http', 'a port from 1 to 65535 at character 11'],
    ['', 'must not be empty'],
  ])('"%s" is refused: %s', (text, message) => {
    const error = refusal(() => parseEndpointFilter('client', text));
    expect(error.message).toContain(`--client: "${text}" must`);
    expect(error.message).toContain(message);
    expect(error.exitCode).toBe(2);
  });
});

describe('NAMESPACE/NAME[:PORT]', () => {
  const DNS = { namespace: 'kube-system', name: 'kube-dns', portName: 'dns-tcp', port: 53 };

  test.each([
    ['kube-system/kube-dns', true],
    ['kube-system/kube-dns:dns-tcp', true],
    ['kube-system/kube-dns:53', true],
    ['kube-system/kube-dns:54', false],
    ['*/kube-dns', true],
    ['kube-*/*:dns*', true],
    ['kube-syste?/kube-[a-d]ns', true],
    ['kube/kube-dns', false],
    ['*/dns', false],
  ])('%s: %s', (filter, isMatch) => {
    expect(matchesService(parseServiceFilter('service', filter), DNS)).toBe(isMatch);
  });

  test.each([
    ['web', 'NAMESPACE/NAME or NAMESPACE/NAME:PORT; "*/web" means any namespace'],
    ['/web', 'a name or a pattern at character 1'],
    ['default/', 'a name or a pattern at character 9'],
    ['default/web:', 'a name or a pattern at character 13'],
    ['default/we[b', 'close the [ at character 11'],
  ])('"%s" is refused: %s', (text, message) => {
    expect(refusal(() => parseServiceFilter('service', text)).message).toContain(message);
  });

  test('a Service is named by its port, by number where it has no name', () => {
    expect(serviceText(DNS)).toBe('kube-system/kube-dns:dns-tcp');
    expect(serviceText({ ...DNS, portName: '' })).toBe('kube-system/kube-dns:53');
    expect(serviceText({ ...DNS, portName: '', port: 0 })).toBe('kube-system/kube-dns');
  });
});
