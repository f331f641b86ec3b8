import type { UdpSocket } from './addon.ts';
import { addon } from './load-addon.ts';

/** sock_diag in the network namespace of the process. Needs CAP_NET_ADMIN. */
export const SockDiag = {
  /**
   * Connected UDP sockets of both families. A socket that is made, connected or closed meanwhile may be missing or appear twice.
   * Throws BpfError ENOENT when the kernel has no sock_diag for UDP.
   */
  listConnectedUdp(): UdpSocket[] {
    return addon().listConnectedUdp();
  },

  /**
   * Disconnects a socket; its owner gets ECONNABORTED with the next call. The cookie must fit, so no other socket is ever meant.
   * Throws BpfError ENOENT when the socket is gone or connected elsewhere by now, EOPNOTSUPP when the kernel was built without
   * CONFIG_INET_DIAG_DESTROY.
   */
  destroyUdp(socket: UdpSocket): void {
    addon().destroyUdp(socket);
  },
};
