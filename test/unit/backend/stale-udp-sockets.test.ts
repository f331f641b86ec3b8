import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { StaleUdpSockets } from '../../../src/backend/ebpf/stale-udp-sockets.ts';
import { addressOctets } from '../../../src/datapath/address.ts';
import { LB_UDP_SOCKET_SIZE, writeUdpSocket } from '../../../src/datapath/layout.gen.ts';
import { createLogger } from '../../../src/log.ts';
import type { UdpSocket } from '../../../src/native/addon.ts';
import { BpfError } from '../../../src/native/bpf-error.ts';

const CURRENT = 7;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A kernel with these rows and sockets; every backend is at CURRENT. */
function kernel() {
  const rows = new Map<bigint, Uint8Array>();
  const sockets: UdpSocket[] = [];
  const ended: bigint[] = [];
  const lines: string[] = [];
  const asked = { lists: 0 };
  const fault = { list: '', destroy: '' };
  const sweeper = new StaleUdpSockets({
    rows: {
      getBatch: () => ({
        count: rows.size,
        keys: new Uint8Array(new BigUint64Array([...rows.keys()]).buffer),
        values: new Uint8Array(Buffer.concat([...rows.values()])),
      }),
      delete: (key) => rows.delete(new DataView(key.buffer).getBigUint64(0, true)),
    },
    generation: () => CURRENT,
    list: () => {
      asked.lists++;
      if (fault.list) throw new BpfError(fault.list, 'list', 'refused');
      return sockets;
    },
    destroy: ({ cookie }) => {
      if (fault.destroy) throw new BpfError(fault.destroy, 'destroy', 'refused');
      ended.push(cookie);
    },
    logger: createLogger({ format: 'text', verbosity: 0, write: (line) => lines.push(line) }),
  });
  const given = (cookie: bigint, backend: string, backendGeneration: number): void => {
    const row = new Uint8Array(LB_UDP_SOCKET_SIZE);
    writeUdpSocket(row, 0, { backend: addressOctets(backend), backendPort: 53, backendId: 1, backendGeneration });
    rows.set(cookie, row);
  };
  const socket = (cookie: bigint, remoteAddress: string, remotePort = 53): void => {
    const local = { localAddress: '192.0.2.1', localPort: 40_000, ifindex: 0 };
    sockets.push({ family: remoteAddress.includes(':') ? 6 : 4, ...local, remoteAddress, remotePort, cookie });
  };
  return { sweeper, rows, ended, lines, asked, fault, given, socket };
}

describe('connected UDP sockets', () => {
  test('end when they are connected to what they were given and that has left', () => {
    const { sweeper, rows, ended, given, socket } = kernel();
    given(1n, '10.244.0.1', CURRENT - 1);
    socket(1n, '10.244.0.1');
    given(2n, 'fd00::1', CURRENT - 1);
    socket(2n, 'fd00::1');
    given(3n, '10.244.0.1', CURRENT - 1);
    socket(3n, '::ffff:10.244.0.1');
    given(4n, '10.244.0.2', CURRENT);
    socket(4n, '10.244.0.2');
    sweeper.sweep();
    expect(ended).toEqual([1n, 2n, 3n]);
    expect([...rows.keys()]).toEqual([4n]);
  });

  test('stay without a row, and where they are connected elsewhere', () => {
    const { sweeper, ended, given, socket } = kernel();
    socket(1n, '10.244.0.1');
    given(2n, '10.244.0.1', CURRENT - 1);
    socket(2n, '10.244.0.9');
    given(3n, '10.244.0.1', CURRENT - 1);
    socket(3n, '10.244.0.1', 54);
    sweeper.sweep();
    expect(ended).toEqual([]);
  });

  test('are not listed while no row is stale', () => {
    const { sweeper, asked, given } = kernel();
    given(1n, '10.244.0.1', CURRENT);
    sweeper.sweep();
    expect(asked.lists).toBe(0);
  });

  test('whose connect() was under way are found by a second look, which also removes rows of sockets that are gone', () => {
    const { sweeper, rows, ended, given, socket } = kernel();
    given(1n, '10.244.0.1', CURRENT - 1);
    given(2n, '10.244.0.1', CURRENT - 1);
    sweeper.sweep();
    expect(rows.size).toBe(2);
    socket(1n, '10.244.0.1');
    vi.runAllTimers();
    expect(ended).toEqual([1n]);
    expect(rows.size).toBe(0);
  });

  test('are left alone with one warning where the kernel cannot end them', () => {
    const { sweeper, lines, asked, fault, given, socket } = kernel();
    fault.destroy = 'EOPNOTSUPP';
    given(1n, '10.244.0.1', CURRENT - 1);
    socket(1n, '10.244.0.1');
    sweeper.sweep();
    sweeper.sweep();
    vi.runAllTimers();
    expect(lines).toEqual([expect.stringContaining('keep a backend that left')]);
    expect(asked.lists).toBe(1);
  });

  test('that could not be ended are tried again', () => {
    const { sweeper, rows, ended, lines, fault, given, socket } = kernel();
    fault.list = 'ENOBUFS';
    given(1n, '10.244.0.1', CURRENT - 1);
    socket(1n, '10.244.0.1');
    sweeper.sweep();
    expect(lines).toEqual([expect.stringContaining('tried again')]);
    fault.list = '';
    vi.runAllTimers();
    expect(ended).toEqual([1n]);
    expect(rows.size).toBe(0);
  });

  test('that were closed in between are no fault', () => {
    const { sweeper, lines, fault, given, socket } = kernel();
    fault.destroy = 'ENOENT';
    given(1n, '10.244.0.1', CURRENT - 1);
    socket(1n, '10.244.0.1');
    sweeper.sweep();
    expect(lines).toEqual([]);
  });
});
