// bundle.ts FILE...: dist/turnout.js with all packages in it, what is loaded only at need in chunks of its own, and the given
// files (addon, eBPF object) beside it.
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
rmSync(dist, { recursive: true, force: true });
mkdirSync(dist);
await build({
  entryPoints: { turnout: join(root, 'src/main.ts') },
  outdir: dist,
  bundle: true,
  splitting: true, // node's start reads only what this command needs
  chunkNames: 'chunk-[hash]',
  platform: 'node',
  format: 'esm',
  target: 'node22.19',
  sourcemap: 'linked',
  legalComments: 'linked',
  logLevel: 'warning',
  // Packages written as CommonJS call require() of Node's own modules.
  banner: { js: "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);" },
});
for (const file of process.argv.slice(2)) cpSync(file, join(dist, basename(file)));
