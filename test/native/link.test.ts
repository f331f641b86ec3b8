import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { BpfLink } from '../../src/native/bpf-link.ts';
import { BpfObject } from '../../src/native/bpf-object.ts';
import { bpfErrorOf } from './bpf-error-of.ts';
import { inNetns, pairOfNetns, runChild } from './child.ts';
import { compile, temporaryFolder } from './compiled-object.ts';
import { bpffsForTest } from './mounted-bpffs.ts';

const folder = temporaryFolder();
let path: string;
beforeAll(() => {
  path = compile('probe', folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function loaded(): Promise<BpfObject> {
  const object = BpfObject.open(path);
  onTestFinished(() => object.close());
  await object.load();
  return object;
}

describe('on devices', () => {
  test('a tcx link sees packets, is replaced, pinned, found again and detached', async () => {
    const { near } = pairOfNetns();
    expect(await runChild('attach-to-device', [path, 'tcx', bpffsForTest()], inNetns(near))).toEqual({
      attached: 'a',
      info: [true, true, 47],
      listed: [['seen_a', true]],
      updated: ['b', true],
      unpinnedYet: 'ENOTPINNED',
      pin: 'nothing',
      closed: 'ECLOSED',
      afterClose: 'b',
      reopened: 'a',
      detached: 0,
      deviceGone: 0,
      listedLater: [],
      noDevice: 'ENODEV',
    });
  });

  test('a clsact filter does the same, but needs no pin', async () => {
    const { near } = pairOfNetns();
    expect(await runChild('attach-to-device', [path, 'clsact', bpffsForTest()], inNetns(near))).toEqual({
      attached: 'a',
      info: [true, true, 47],
      listed: [],
      updated: ['b', true],
      unpinnedYet: 'ENOTPINNED',
      pin: 'ENOTSUP',
      closed: 'ECLOSED',
      afterClose: 'b',
      reopened: 'a',
      detached: 'ENOENT',
      deviceGone: 'ENODEV',
      listedLater: [],
      noDevice: 'ENODEV',
    });
  });

  test('an XDP link sees packets in each mode', async () => {
    const { near, far } = pairOfNetns();
    expect(await runChild('attach-xdp', [path, far], inNetns(near))).toEqual([
      ['generic', 'x', true],
      ['native', 'x', true],
      ['auto', 'x', true],
    ]);
  });

  test('a clsact filter without priority or handle is refused: the kernel would choose, and we could not find it again', async () => {
    const program = (await loaded()).program('seen_a');
    const point = { kind: 'clsact', ifindex: 1, direction: 'ingress', priority: 0, handle: 1 } as const;
    expect(bpfErrorOf(() => program.attach(point)).code).toBe('EINVAL');
    expect(bpfErrorOf(() => program.attach({ ...point, priority: 1, handle: 0 })).code).toBe('EINVAL');
  });
});

describe('on cgroups', () => {
  /** A cgroup of its own for one test. */
  function cgroupForTest(): string {
    const mount = readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' '))
      .find((fields) => fields[2] === 'cgroup2')?.[1];
    if (mount === undefined) throw new Error('cgroup2 is not mounted');
    const cgroup = join(mount, `turnout-native-${randomBytes(4).toString('hex')}`);
    mkdirSync(cgroup);
    onTestFinished(() => rmdirSync(cgroup));
    return cgroup;
  }

  /** What a process in that cgroup hears when it connects to 127.0.0.1:9. */
  function connectFrom(cgroup: string): string {
    const connect = `require('node:net').connect(9, '127.0.0.1').on('error', (error) => console.log(error.code))`;
    const script = 'echo $$ > "$0/cgroup.procs" && exec "$1" -e "$2"';
    return execFileSync('sh', ['-c', script, cgroup, process.execPath, connect], { encoding: 'utf8' }).trim();
  }

  test('a link refuses connections until it is updated, and lets go when it is closed', async () => {
    const object = await loaded();
    const cgroup = cgroupForTest();
    const link = object.program('refuse_connect').attach({ kind: 'cgroup', path: cgroup });
    onTestFinished(() => link.close());
    expect(connectFrom(cgroup)).toBe('EPERM');
    expect(link.info()).toMatchObject({
      programId: object.program('refuse_connect').id,
      cgroupId: statSync(cgroup, { bigint: true }).ino,
      ifindex: 0,
    });
    link.update(object.program('allow_connect'));
    expect(connectFrom(cgroup)).toBe('ECONNREFUSED');
    link.update(object.program('refuse_connect'));
    expect(connectFrom(cgroup)).toBe('EPERM');
    link.close();
    expect(connectFrom(cgroup)).toBe('ECONNREFUSED');
  });

  test('a missing cgroup, a file and an ordinary folder are refused', async () => {
    const program = (await loaded()).program('allow_connect');
    const attach = (cgroup: string) => () => program.attach({ kind: 'cgroup', path: cgroup });
    expect(bpfErrorOf(attach('/no/such/cgroup'))).toMatchObject({ code: 'ENOENT', operation: 'program.attach' });
    expect(bpfErrorOf(attach('/etc/passwd')).code).toBe('ENOTDIR');
    expect(bpfErrorOf(attach(folder)).code).toBe('EBADF');
  });

  test('a program of another kind is refused', async () => {
    const program = (await loaded()).program('pass');
    const cgroup = cgroupForTest();
    expect(bpfErrorOf(() => program.attach({ kind: 'cgroup', path: cgroup })).code).toBe('EINVAL');
  });
});

test('a pinned map is not opened as a link', async () => {
  const bpffs = bpffsForTest();
  (await loaded()).map('rows').pin(`${bpffs}/rows`);
  expect(bpfErrorOf(() => BpfLink.openPinned(`${bpffs}/rows`))).toMatchObject({
    code: 'EWRONGKIND',
    operation: 'link.openPinned',
  });
});
