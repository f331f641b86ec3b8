import { expect, test } from 'vitest';
import { parseCidrText, parseIpText } from '../../../src/config/ip-text.ts';

test('octets with leading zeros are decimal, as in kube-proxy', () => {
  expect(parseIpText('010.096.000.010')).toEqual({ family: 'IPv4', address: '10.96.0.10' });
  expect(parseCidrText('010.0.0.0/08')).toEqual({ family: 'IPv4', cidr: '10.0.0.0/8' });
});

test('an IPv6 address keeps its family', () => {
  expect(parseIpText('2001:db8::1')).toEqual({ family: 'IPv6', address: '2001:db8::1' });
  expect(parseCidrText('fd00:10::/112')).toEqual({ family: 'IPv6', cidr: 'fd00:10::/112' });
});

test.each(['', '10.0.0', '10.0.0.256', 'host', '::1%eth0', '10.0.0.0/8'])('"%s" is not an address', (text) => {
  expect(parseIpText(text)).toBeNull();
});

test.each(['10.0.0.0', '10.0.0.0/33', '10.0.0/8', 'fd00::/129', '/8', '10.0.0.0/', '10.0.0.0/-1'])(
  '"%s" is not a CIDR',
  (text) => {
    expect(parseCidrText(text)).toBeNull();
  },
);
