// A checkout in miniature whose bpf/ is another one: sources are copied, because Node follows links to where files really are, and
// what was built is linked. Tests in it load its own object, by objectPath() and by bin/turnout alike, and know nothing of all this.
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Change, changedText } from './part.ts';

const COPIED = ['bin', 'bpf', 'lab', 'package.json', 'src', 'test', 'tsconfig.json', 'vitest.config.ts'];
const PRISTINE = 'build/bpf'; // as bpf/ was at the start: who edits it meanwhile does not change half of a run
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
    cpSync(join(root, 'bpf'), join(folder, PRISTINE), { recursive: true });
    for (const name of ['node_modules', '.tools', 'dist']) symlinkSync(join(root, name), join(folder, name));
    for (const name of readdirSync(join(root, 'build'))) {
      if (name !== OBJECT && name !== 'teeth') symlinkSync(join(root, 'build', name), join(folder, 'build', name));
    }
  }

  /** From now on bpf/ is the real one but for these changes, and the object is made of it. */
  async compile(changes: readonly Change[]): Promise<void> {
    const bpf = join(this.folder, 'bpf');
    cpSync(join(this.folder, PRISTINE), bpf, { recursive: true, force: true });
    for (const change of changes) {
      const path = join(bpf, change.file);
      writeFileSync(path, changedText(readFileSync(path, 'utf8'), change));
    }
    // What a part alone has called is left over without it.
    const leftOver = '-Wno-unused-function -Wno-unused-variable -Wno-unused-but-set-variable';
    const command = `${this.#clang} ${leftOver} -c '${join(bpf, 'datapath.bpf.c')}' -o '${join(this.folder, 'build', OBJECT)}'`;
    try {
      await run('sh', ['-c', command], { cwd: this.#root });
    } catch (error) {
      throw new Error(`the changed copy does not compile: ${(error as { stderr?: string }).stderr ?? String(error)}`);
    }
  }
}
