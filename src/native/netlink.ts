import type { NetlinkAddress, NetlinkDevice, NetlinkEvent, NetlinkRoute } from './addon.ts';
import { deliver } from './deliver.ts';
import { addon } from './load-addon.ts';

const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;

/**
 * rtnetlink in the network namespace of the process, both families, no privilege needed. All throw BpfError when the kernel
 * refuses. To keep a picture current: follow first, then list, then apply the events.
 */
export const Netlink = {
  listDevices(): NetlinkDevice[] {
    return addon().listDevices();
  },

  listAddresses(): NetlinkAddress[] {
    return addon().listAddresses();
  },

  /** All tables, local and multicast ones too; no cached routes. */
  listRoutes(): NetlinkRoute[] {
    return addon().listRoutes();
  },

  /**
   * Tells of every change from now to close(), and keeps the process alive until then. After 'overrun' events are missing: list
   * again. receiveBufferBytes is what may queue while JavaScript is busy. The kernel does not tell of IPv4 routes that go because
   * their device goes down or away: list the routes again when a device changes.
   */
  follow(onEvent: (event: NetlinkEvent) => void, options: { receiveBufferBytes?: number } = {}): { close(): void } {
    let isClosed = false;
    const raw = new (addon().NetlinkFollower)(
      (events) => deliver(events, onEvent, () => isClosed),
      options.receiveBufferBytes ?? RECEIVE_BUFFER_BYTES,
    );
    return {
      close(): void {
        isClosed = true;
        raw.close();
      },
    };
  },
};
