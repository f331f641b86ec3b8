import { rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { BpfObject } from '../../src/native/bpf-object.ts';
import { runChild } from './child.ts';
import { compile, folderForTest, temporaryFolder } from './compiled-object.ts';
import { bpffsForTest } from './mounted-bpffs.ts';

const folder = temporaryFolder();
let path: string;
beforeAll(() => {
  path = compile('probe', folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('without privileges describing and listing work; loading, mounting and pins are refused and say what is needed', async () => {
  const bpffs = bpffsForTest();
  const object = BpfObject.open(path);
  onTestFinished(() => object.close());
  await object.load();
  object.map('rows').pin(`${bpffs}/rows`);

  const report = await runChild('unprivileged', [path, bpffs, folderForTest()]);
  expect(report).toEqual({
    described: 6,
    devices: true,
    load: { code: 'EPERM', operation: 'object.load', message: expect.stringContaining('needs root, or CAP_BPF') },
    mount: { code: 'EPERM', operation: 'mountBpffs', message: expect.stringContaining('needs root') },
    pinned: { code: 'EACCES', operation: 'map.openPinned', message: expect.stringContaining('needs root') },
  });
});
