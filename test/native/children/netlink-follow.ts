// In a namespace with v0: changes devices, addresses and routes, and prints the events and lists that tell of them.

import { execFileSync } from 'node:child_process';
import type { NetlinkEvent } from '../../../src/native/addon.ts';
import { Netlink } from '../../../src/native/netlink.ts';

const ip = (words: string): void => {
  execFileSync('ip', words.split(' '));
};

const events: NetlinkEvent[] = [];
let wake = () => {};
const following = Netlink.follow((event) => {
  events.push(event);
  wake();
});

/** The first event of this kind that matches; waits for it. */
async function event<Kind extends NetlinkEvent['kind']>(
  kind: Kind,
  matches: (event: Extract<NetlinkEvent, { kind: Kind }>) => boolean,
): Promise<Extract<NetlinkEvent, { kind: Kind }>> {
  for (;;) {
    const found = events.find((e): e is Extract<NetlinkEvent, { kind: Kind }> => e.kind === kind && matches(e as never));
    if (found !== undefined) return found;
    await new Promise<void>((resolve) => (wake = resolve));
  }
}

const report: Record<string, unknown> = {};
const device = (name: string) => Netlink.listDevices().find((d) => d.name === name);

ip('link add br0 type bridge');
report['newDevice'] = (await event('device', (e) => e.action === 'new' && e.device.name === 'br0')).device.kind;
ip('link set v0 master br0');
const bridge = device('br0')?.ifindex;
report['enslaved'] = (await event('device', (e) => e.device.name === 'v0' && e.device.masterIfindex === bridge)).device.slaveKind;
events.length = 0;
ip('link set v0 nomaster');
report['released'] = (await event('device', (e) => e.device.name === 'v0' && e.device.masterIfindex === 0)).action;
report['toldGoneWhenReleased'] = events.some((e) => e.kind === 'device' && e.action === 'delete');

ip('addr add 198.51.100.7/25 dev v0');
report['address4'] = (await event('address', (e) => e.address.address === '198.51.100.7')).address;
ip('addr add 2001:db8:1::7/64 dev v0 nodad');
report['address6'] = (await event('address', (e) => e.address.address === '2001:db8:1::7')).address.prefixLength;
ip('route add 203.0.113.0/24 via 192.0.2.2 src 192.0.2.1 metric 50 table 100');
report['route4'] = (await event('route', (e) => e.route.destination === '203.0.113.0/24')).route;
ip('-6 route add default via 2001:db8::2');
report['route6'] = (await event('route', (e) => e.route.family === 6 && e.route.destination === 'default')).route.gateway;
report['listed'] = [
  Netlink.listRoutes().some((r) => r.destination === '203.0.113.0/24' && r.table === 100),
  Netlink.listAddresses().filter((a) => a.address === '198.51.100.7' || a.address === '2001:db8:1::7').length,
];
ip('addr del 198.51.100.7/25 dev v0');
report['addressGone'] = (await event('address', (e) => e.action === 'delete')).address.address;
report['device'] = device('v0');
ip('link del v0');
report['deviceGone'] = (await event('device', (e) => e.action === 'delete')).device.name;

following.close();
following.close();
const heard = events.length;
await new Promise<void>((resolve) => {
  const witness = Netlink.follow((e) => {
    if (e.kind !== 'device' || e.device.name !== 'after') return;
    witness.close();
    resolve();
  });
  ip('link add after type bridge');
});
report['heardAfterClose'] = events.length - heard;
console.log(JSON.stringify(report));
