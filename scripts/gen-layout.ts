// gen-layout.ts [--check]: writes src/datapath/layout.gen.ts from the compiled object, or says whether it is up to date.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BpfObject } from '../src/native/bpf-object.ts';
import { layoutSource } from './layout/source.ts';

const root = join(import.meta.dirname, '..');
const target = join(root, 'src/datapath/layout.gen.ts');
const source = layoutSource(BpfObject.describe(join(root, 'build/datapath.bpf.o')));

if (!process.argv.includes('--check')) {
  writeFileSync(target, source);
} else if (readFileSync(target, 'utf8') !== source) {
  console.error('src/datapath/layout.gen.ts is not what bpf/ says: type `make gen`, look at the difference, commit it');
  process.exit(1);
}
