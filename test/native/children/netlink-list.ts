// Prints all that netlink lists in this namespace.

import { Netlink } from '../../../src/native/netlink.ts';

const [devices, addresses, routes] = [Netlink.listDevices(), Netlink.listAddresses(), Netlink.listRoutes()];
console.log(JSON.stringify({ devices, addresses, routes }));
