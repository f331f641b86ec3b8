// What a reader stumbles over: very long files are asked about (a warning), registry hosts in the lock file are an error.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const MAX_LINES = 400;
const root = join(import.meta.dirname, '..');

for (const file of globSync(['{src,test,scripts,demo}/**/*.ts', 'bpf/*', 'native/*.{cc,h}'], { cwd: root }).sort()) {
  if (file.endsWith('.gen.ts')) continue;
  const lines = readFileSync(join(root, file), 'utf8').split('\n').length - 1;
  if (lines > MAX_LINES) console.warn(`!! ${file} has ${lines} lines: is it one thing?`);
}

if (readFileSync(join(root, 'package-lock.json'), 'utf8').includes('"resolved"')) {
  console.error('package-lock.json names registry hosts: install with the omit-lockfile-registry-resolved of .npmrc');
  process.exit(1);
}
