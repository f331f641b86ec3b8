import { execFileSync } from 'node:child_process';
import { onTestFinished } from 'vitest';
import { mountBpffs } from '../../src/native/system.ts';
import { folderForTest } from './compiled-object.ts';

/** A bpffs of its own for one test. */
export function bpffsForTest(): string {
  const folder = folderForTest();
  mountBpffs(folder);
  onTestFinished(() => {
    execFileSync('umount', ['--lazy', folder]);
  });
  return folder;
}
