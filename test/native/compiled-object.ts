// Compiles a program of ./programs into a temporary folder that goes away with the test file.

import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');

/** Path of the object. The caller's folder: remove it, or use compiledForTest. */
export function compile(name: string, folder: string): string {
  const object = join(folder, `${name}.o`);
  const includes = ['build/include', 'build/deps/libbpf/include/uapi'].map((path) => `-I${join(ROOT, path)}`);
  const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  execFileSync(process.env['CLANG'] ?? 'clang-19', [
    ...['-g', '-O2', '-target', 'bpf', '-mcpu=v3', '-Wall', '-Werror', ...includes, `-I/usr/include/${machine}-linux-gnu`],
    ...['-c', join(import.meta.dirname, 'programs', `${name}.bpf.c`), '-o', object],
  ]);
  return object;
}

/** A folder that every user can enter. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'turnout-native-'));
  chmodSync(folder, 0o755);
  return folder;
}

/** A folder for one test. */
export function folderForTest(): string {
  const folder = temporaryFolder();
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
