// turnout as a release ships it, in a folder without a checkout: bin/turnout then takes the bundle, which starts several times faster.
import { cpSync, mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');

/** `binary` in `folder`, which is the caller's to remove. */
export function copyRelease(): { folder: string; binary: string } {
  const folder = mkdtempSync(join(tmpdir(), 'turnout-vm-'));
  mkdirSync(join(folder, 'bin'));
  cpSync(join(ROOT, 'bin/turnout'), join(folder, 'bin/turnout'));
  cpSync(join(ROOT, 'dist'), join(folder, 'dist'), { recursive: true });
  process.env['PATH'] = `${dirname(process.execPath)}:${process.env['PATH']}`;
  return { folder, binary: join(folder, 'bin/turnout') };
}
