// A checkout in miniature whose bpf/, or src/, is another one: sources are copied, because Node follows links to where files really are, and
// what was built is linked. Tests in it load its own object, by objectPath() and by bin/turnout alike, and know nothing of all this.
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Change, changedText, pathOf } from './part.ts';

const COPIED = ['bin', 'bpf', 'lab', 'package.json', 'src', 'test', 'tsconfig.json', 'vitest.config.ts'];
const CHANGED = ['bpf', 'src'];
const PRISTINE = 'build/pristine'; // as they were at the start: who edits them meanwhile does not change half of a run
const OBJECT = 'datapath.bpf.o';
const run = promisify(execFile);

export class Checkout {
  readonly folder: string;
  readonly #root: string;
  readonly #clang: string;

  /** `clang` compiles a program of `root` when it is run there, but for input and output: the Makefile's own words. */
  constructor(root: string, folder: string, clang: string) {
    this.#root = root;
    this.#clang = clang;
    this.folder = folder;
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(join(folder, 'build'), { recursive: true });
    for (const name of COPIED) cpSync(join(root, name), join(folder, name), { recursive: true });
    for (const name of CHANGED) cpSync(join(root, name), join(folder, PRISTINE, name), { recursive: true });
    for (const name of ['node_modules', '.tools', 'dist']) symlinkSync(join(root, name), join(folder, name));
    for (const name of readdirSync(join(root, 'build'))) {
      if (![OBJECT, 'pristine', 'teeth'].includes(name)) symlinkSync(join(root, 'build', name), join(folder, 'build', name));
    }
  }

  /** From now on bpf/ and src/ are the real ones but for these changes, and the object is made of them. */
  async compile(changes: readonly Change[]): Promise<void> {
    cpSync(join(this.folder, PRISTINE), this.folder, { recursive: true, force: true });
    for (const change of changes) {
      const path = join(this.folder, pathOf(change));
      writeFileSync(path, changedText(readFileSync(path, 'utf8'), change));
    }
    // What a part alone has called is left over without it.
    const leftOver = '-Wno-unused-function -Wno-unused-variable -Wno-unused-but-set-variable';
    const command = `${this.#clang} ${leftOver} -c '${join(this.folder, 'bpf/datapath.bpf.c')}' -o '${join(this.folder, 'build', OBJECT)}'`;
    try {
      await run('sh', ['-c', command], { cwd: this.#root });
    } catch (error) {
      throw new Error(`the changed copy does not compile: ${(error as { stderr?: string }).stderr ?? String(error)}`);
    }
  }
}
