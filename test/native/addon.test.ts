import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BpfObject } from '../../src/native/bpf-object.ts';
import { addonCandidates, loadAddon } from '../../src/native/load-addon.ts';
import { Netlink } from '../../src/native/netlink.ts';
import { RingBuffer } from '../../src/native/ring-buffer.ts';
import { bpfErrorOf } from './bpf-error-of.ts';
import { runChild } from './child.ts';
import { compile, temporaryFolder } from './compiled-object.ts';

const folder = temporaryFolder();
let path: string;
beforeAll(() => {
  path = compile('probe', folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const openDescriptors = () => readdirSync('/proc/self/fd').length;

test('an addon that does not load says what was tried and what to type', () => {
  const broken = join(folder, 'broken.node');
  writeFileSync(broken, 'not a library');
  const error = bpfErrorOf(() => loadAddon([join(folder, 'missing.node'), broken]));
  expect(error.code).toBe('ENOADDON');
  expect(error.message).toContain('make build');
  expect(error.message).toContain(join(folder, 'missing.node'));
  expect(error.message).toMatch(/broken\.node: .*(invalid ELF|too short)/);
});

test('every symbol that the addon wants comes from Node-API or from a library that it names', () => {
  const addon = addonCandidates(join(import.meta.dirname, '../../src/native'))[1] ?? '';
  const wanted = execFileSync('nm', ['-D', '--undefined-only', '--with-symbol-versions', addon], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.trim().startsWith('U '))
    .map((line) => line.trim().slice(2));
  const unversioned = wanted.filter((symbol) => !symbol.includes('@') && !symbol.startsWith('napi_'));
  // zlib versions only some of its symbols.
  expect(unversioned.filter((symbol) => !symbol.startsWith('gz'))).toEqual([]);
});

test('a thousand objects opened and closed leave no descriptor behind', () => {
  const before = openDescriptors();
  for (let i = 0; i < 1000; i++) BpfObject.open(path).close();
  for (let i = 0; i < 100; i++) bpfErrorOf(() => BpfObject.open(join(folder, 'missing.o')));
  expect(openDescriptors()).toBe(before);
});

test('loaded objects, ring buffers and followers leave no descriptor behind', async () => {
  const round = async () => {
    const object = BpfObject.open(path);
    await object.load();
    const ring = new RingBuffer(object.map('records'), () => {});
    const following = Netlink.follow(() => {});
    object.program('pass').testRun({ data: new Uint8Array(64) });
    await object.program('pass').testRunAsync({ data: new Uint8Array(64) });
    object.map('rows').keys();
    following.close();
    ring.close();
    object.close();
  };
  await round(); // threads and caches of Node come with the first one
  const before = openDescriptors();
  for (let i = 0; i < 50; i++) await round();
  expect(openDescriptors()).toBe(before);
});

test('process.exit with a reader and a follower open ends at once and cleanly', async () => {
  expect(await runChild('leaves-open', [path])).toBe('leaving');
});

test('a worker thread has an instance of its own, and may be terminated in the middle', async () => {
  for (let i = 0; i < 3; i++) {
    const worker = new Worker(join(import.meta.dirname, 'children/worker.ts'), { workerData: path });
    const [message] = (await once(worker, 'message')) as [unknown];
    expect(message).toEqual([2, true]);
    await worker.terminate();
  }
  expect(bpfErrorOf(() => BpfObject.open('/no/such/file.o')).code).toBe('ENOENT');
});
