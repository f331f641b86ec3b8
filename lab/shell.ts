// Commands of the system, run to their end. A failure says what was run and what it said.
import { spawnSync } from 'node:child_process';

export function run(command: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (error) throw new Error(`${command}: ${error.message}`);
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: exit ${status}: ${stderr.trim() || stdout.trim()}`);
  return stdout;
}

/** Like run(); false instead of an error. */
export function succeeds(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}
