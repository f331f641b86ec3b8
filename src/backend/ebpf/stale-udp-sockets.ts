// Ends connected UDP sockets of the host whose backend has left: connect() translated them once, and nothing asks again until they
// connect anew.
import { addressOctets, addressText } from '../../datapath/address.ts';
import { u64Bytes, viewOf } from '../../datapath/bytes.ts';
import { LB_UDP_SOCKET_SIZE, type UdpSocket as Row, readUdpSocket } from '../../datapath/layout.gen.ts';
import type { Logger } from '../../log.ts';
import type { UdpSocket } from '../../native/addon.ts';
import type { BpfMap } from '../../native/bpf-map.ts';

/** A connect() that chose a backend before it left may end after the first look. */
const SECOND_LOOK_MS = 1000;
/** How kernels say that they cannot: without CONFIG_INET_DIAG_DESTROY, or without sock_diag for UDP. */
const UNSUPPORTED: ReadonlySet<string> = new Set(['EOPNOTSUPP', 'ENOTSUP', 'ENOENT']);

export interface StaleUdpSocketsOptions {
  /** udp_sockets: what connect() gave each socket. */
  readonly rows: Pick<BpfMap, 'getBatch' | 'delete'>;
  /** Of a backend id, as the programs see it now. */
  readonly generation: (backendId: number) => number;
  /** Connected UDP sockets of the host. */
  readonly list: () => readonly UdpSocket[];
  readonly destroy: (socket: UdpSocket) => void;
  readonly logger: Logger;
}

/**
 * Invariant: a socket is ended only when the row of its own cookie says that connect() gave it the address it is connected to, and that
 * backend's generation has moved on. Who connected to the same address without a Service has no row.
 */
export class StaleUdpSockets {
  readonly #options: StaleUdpSocketsOptions;
  #secondLook: NodeJS.Timeout | null = null;
  #isUnsupported = false;

  constructor(options: StaleUdpSocketsOptions) {
    this.#options = options;
  }

  /** After UDP backends have left. Never throws: what fails is tried again with the second look, or the next time. */
  sweep(): void {
    this.#look();
    if (this.#isUnsupported) return;
    this.#secondLook ??= setTimeout(() => {
      this.#secondLook = null;
      // Rows of sockets whose end nobody saw: they were closed while no program was attached.
      for (const cookie of this.#look()) this.#options.rows.delete(u64Bytes(cookie));
    }, SECOND_LOOK_MS).unref();
  }

  close(): void {
    if (this.#secondLook) clearTimeout(this.#secondLook);
    this.#secondLook = null;
  }

  /** Ends what is stale; cookies of stale rows for which there was nothing to end. */
  #look(): bigint[] {
    const { list, logger } = this.#options;
    const idle: bigint[] = [];
    if (this.#isUnsupported) return idle;
    let ended = 0;
    try {
      const stale = this.#staleRows();
      if (stale.size === 0) return idle;
      const sockets = new Map(list().map((socket) => [socket.cookie, socket]));
      for (const [cookie, row] of stale) {
        const socket = sockets.get(cookie);
        if (socket && isGiven(socket, row) && this.#end(socket)) ended++;
        else idle.push(cookie);
      }
    } catch (error) {
      this.#failed(error);
      return [];
    }
    if (ended > 0) logger.verbose(1, 'Connected UDP sockets lost their backend and were ended', { sockets: ended });
    return idle;
  }

  #staleRows(): Map<bigint, Row> {
    const { count, keys, values } = this.#options.rows.getBatch();
    const stale = new Map<bigint, Row>();
    for (let i = 0; i < count; i++) {
      const row = readUdpSocket(values, i * LB_UDP_SOCKET_SIZE);
      if (this.#options.generation(row.backendId) === row.backendGeneration) continue;
      stale.set(viewOf(keys).getBigUint64(i * 8, true), row);
    }
    return stale;
  }

  /** False when it was closed or connected elsewhere meanwhile. */
  #end(socket: UdpSocket): boolean {
    try {
      this.#options.destroy(socket);
    } catch (error) {
      if ((error as { code?: string }).code === 'ENOENT') return false;
      throw error;
    }
    this.#options.rows.delete(u64Bytes(socket.cookie));
    return true;
  }

  #failed(error: unknown): void {
    const { logger } = this.#options;
    if (!UNSUPPORTED.has((error as { code?: string }).code ?? '')) {
      return logger.error('Ending connected UDP sockets whose backend left failed; it is tried again', { err: error });
    }
    this.#isUnsupported = true;
    logger.warn('Connected UDP sockets of the host keep a backend that left: this kernel does not let them be ended', {
      reason: 'it was built without CONFIG_INET_UDP_DIAG or CONFIG_INET_DIAG_DESTROY',
    });
  }
}

/** Whether a socket is connected to what its row says: a connect() that failed after its translation leaves it where it was. */
function isGiven({ remoteAddress, remotePort }: UdpSocket, { backend, backendPort }: Row): boolean {
  const plain = remoteAddress.replace(/^::ffff:(?=\d+\.)/, ''); // an IPv6 socket that talks IPv4
  return remotePort === backendPort && addressText(addressOctets(plain)) === addressText(backend);
}
