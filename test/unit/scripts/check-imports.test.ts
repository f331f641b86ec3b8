import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';

const SCRIPT = join(import.meta.dirname, '../../../scripts/check-imports.ts');

function run(script: string): Promise<{ code: number; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [script], (error, _stdout, stderr) => resolve({ code: Number(error?.code ?? 0), stderr }));
  });
}

/** What the script says about a tree of source files. */
function checked(files: Record<string, string>): Promise<{ code: number; stderr: string }> {
  const root = mkdtempSync(join(tmpdir(), 'turnout-imports-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const tree = { 'package.json': '{"type":"module"}', ...files };
  for (const [path, text] of Object.entries(tree)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  cpSync(SCRIPT, join(root, 'scripts/check-imports.ts'));
  return run(join(root, 'scripts/check-imports.ts'));
}

describe('imports', () => {
  test('of this tree go one way', async () => {
    expect(await run(SCRIPT)).toEqual({ code: 0, stderr: '' });
  });

  test('along the arrows, within a folder and from packages are fine', async () => {
    const result = await checked({
      'src/backend/ebpf/rows.ts':
        "import { a } from '../../state/model.ts';\nimport b from './ids.ts';\nimport { c } from '../../log.ts';\n",
      'src/cluster/watch.ts': "import { d } from '../state/model.ts';\nimport fs from 'node:fs';\nimport zod from 'zod';\n",
      'src/loop.ts': "import type { e } from './backend/backend.ts';\n",
    });
    expect(result).toEqual({ code: 0, stderr: '' });
  });

  test('against them are named, all of them', async () => {
    const { code, stderr } = await checked({
      'src/state/model.ts': "import { a } from '../backend/backend.ts';\nimport type { b } from '../log.ts';\n",
      'src/native/system.ts': "import { c } from '../errors.ts';\n",
      'src/cluster/deep/watch.ts': "export * from '../../datapath/bytes.ts';\n",
    });
    expect(code).toBe(1);
    expect(stderr.trim().split('\n').toSorted()).toEqual([
      'import in the wrong direction: src/cluster/deep/watch.ts imports src/datapath/bytes.ts',
      'import in the wrong direction: src/native/system.ts imports src/errors.ts',
      'import in the wrong direction: src/state/model.ts imports src/backend/backend.ts',
      'import in the wrong direction: src/state/model.ts imports src/log.ts',
    ]);
  });

  test('over several lines, for their effect and at run time count too', async () => {
    const { stderr } = await checked({
      'src/state/a.ts': "import {\n  a,\n  b,\n} from '../config/config.ts';\n",
      'src/state/b.ts': "import '../cli/arguments.ts';\n",
      'src/state/c.ts': "const c = await import('../health/health-server.ts');\n",
    });
    for (const target of ['config/config.ts', 'cli/arguments.ts', 'health/health-server.ts'])
      expect(stderr).toContain(`imports src/${target}`);
  });

  test('of main.ts are refused wherever they are', async () => {
    const { code, stderr } = await checked({ 'src/proxy.ts': "import { main } from './main.ts';\n" });
    expect([code, stderr]).toEqual([1, 'import in the wrong direction: src/proxy.ts imports main.ts; nothing may\n']);
  });
});
