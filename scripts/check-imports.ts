// Imports go one way: cluster -> state <- backend -> datapath -> native. Prints each arrow that does not, and fails.
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/** Which folders of src/ a folder may import. Files directly in src/ (main, loop, log, errors) are named as such. */
const ALLOWED: Record<string, readonly string[]> = {
  state: [],
  native: [],
  datapath: ['native', 'state', 'errors.ts'],
  cluster: ['state', 'errors.ts', 'log.ts'],
  backend: ['state', 'datapath', 'native', 'config', 'cli', 'errors.ts', 'log.ts'],
  config: ['state', 'errors.ts'],
  cli: ['config', 'state', 'errors.ts'],
  health: ['state', 'errors.ts', 'log.ts'],
  metrics: ['state', 'health', 'errors.ts', 'log.ts'],
};

const root = join(import.meta.dirname, '..', 'src');
const faults: string[] = [];
for (const file of globSync('**/*.ts', { cwd: root })) {
  const from = file.split('/')[0] ?? '';
  for (const [, target = ''] of readFileSync(join(root, file), 'utf8').matchAll(/\b(?:from |import |import\()'(\.[^']+)'/g)) {
    const path = normalize(join(dirname(file), target));
    const to = path.split('/')[0] ?? '';
    if (path === 'main.ts') faults.push(`src/${file} imports main.ts; nothing may`);
    else if (from !== to && from in ALLOWED && !ALLOWED[from]?.includes(to)) faults.push(`src/${file} imports src/${path}`);
  }
}
for (const fault of faults) console.error(`import in the wrong direction: ${fault}`);
process.exit(faults.length ? 1 : 0);
