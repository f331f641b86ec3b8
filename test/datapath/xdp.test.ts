// The headers that parse and look up know no hook: an XDP program made of them compiles, loads and finds Services.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addressOctets } from '../../src/datapath/address.ts';
import { BpfObject } from '../../src/native/bpf-object.ts';
import { CASES, CLIENT_PORT, PORT, segment, servicePort, TARGET_PORT } from './cluster.ts';
import { compile } from './compile.ts';
import { Datapath } from './datapath.ts';
import { octetsOf } from './packet/write-packet.ts';

const SHARED = ['frontends', 'backends', 'addresses'];
const XDP = { drop: 1, pass: 2, tx: 3 };

let folder: string;
let datapath: Datapath;
let probe: BpfObject;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'turnout-xdp-'));
  const path = join(folder, 'xdp-probe.o');
  compile('xdp-probe.bpf.c', path);
  datapath = await Datapath.load();
  probe = BpfObject.open(path);
  const ours = new Set(probe.describe().maps.map(({ name }) => name));
  for (const name of SHARED.filter((map) => ours.has(map))) probe.reuseMap(name, datapath.map(name));
  await probe.load();
});
afterAll(() => {
  probe.close();
  datapath.close();
  rmSync(folder, { recursive: true, force: true });
});

describe.each(CASES)('an XDP program of the shared headers, over $title', ({ addresses, transport }) => {
  const run = (fields = {}) => {
    const packet = segment(transport, {
      ...{ source: addresses.client, destination: addresses.clusterIP, sourcePort: CLIENT_PORT, destinationPort: PORT },
      ...fields,
    });
    return { sent: octetsOf(packet), ...probe.program('probe').testRun({ data: octetsOf(packet) }) };
  };

  test('finds the endpoint of a Service', () => {
    datapath.program(servicePort(addresses, transport));
    const { sent, returnValue, data } = run();
    const target = [...addressOctets(addresses.endpoint).subarray(12), TARGET_PORT >> 8, TARGET_PORT & 0xff];
    expect(returnValue).toBe(XDP.tx);
    expect([...data]).toEqual([...sent.subarray(0, 6), ...target, ...sent.subarray(12)]);
  });

  test('knows a Service without endpoints', () => {
    datapath.program(servicePort(addresses, transport, { clusterEndpoints: [] }));
    expect(run().returnValue).toBe(XDP.drop);
  });

  test('passes what belongs to no Service, and what is cut', () => {
    datapath.program(servicePort(addresses, transport));
    expect(run({ destination: addresses.stranger }).returnValue).toBe(XDP.pass);
    const { sent } = run({ payload: new Uint8Array(0) });
    for (let length = 14; length < sent.length; length++) {
      const cut = sent.subarray(0, length);
      expect(probe.program('probe').testRun({ data: cut })).toMatchObject({ returnValue: XDP.pass, data: cut });
    }
  });
});
