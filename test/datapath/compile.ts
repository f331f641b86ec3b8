// Programs of tests that are made of the project's own headers.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');

/** Compiles a file of programs/ with the Makefile's flags. */
export function compile(source: string, object: string): void {
  const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  const includes = ['build/include', 'build/deps/libbpf/include/uapi'].map((path) => `-I${join(ROOT, path)}`);
  const flags = ['-g', '-O2', '-target', 'bpf', '-mcpu=v3', '-Wall', '-Werror'];
  execFileSync(process.env['CLANG'] ?? 'clang-19', [
    ...[...flags, ...includes, `-I/usr/include/${machine}-linux-gnu`],
    ...['-c', join(import.meta.dirname, 'programs', source), '-o', object],
  ]);
}
