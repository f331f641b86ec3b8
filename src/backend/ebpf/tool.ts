// Tools of the system (iptables, ip), run to their end. A failure is a value, since what it means differs.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface Ran {
  readonly status: number; // -1: the command is missing
  readonly stdout: string;
  readonly stderr: string;
}

export function runTool(command: string, args: readonly string[], input = ''): Promise<Ran> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (data: Buffer) => {
      stdout += data.toString();
    });
    child.stderr.on('data', (data: Buffer) => {
      stderr += data.toString();
    });
    child.on('error', (error) => resolve({ status: -1, stdout, stderr: error.message }));
    child.on('close', (status) => resolve({ status: status ?? 1, stdout, stderr }));
    child.stdin.on('error', () => {}); // it may end before it has read everything
    child.stdin.end(input);
  });
}

const LINES_MS = 20_000;

/** Hands over each line a tool prints, without keeping them: a ruleset may be tens of megabytes. False: the tool is missing. */
export function toolLines(command: string, args: readonly string[], onLine: (line: string) => void): Promise<boolean> {
  return new Promise((resolve) => {
    let isThere = true;
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'], timeout: LINES_MS });
    const lines = createInterface({ input: child.stdout });
    lines.on('line', onLine);
    lines.once('close', () => resolve(isThere));
    child.on('error', () => {
      isThere = false;
      lines.close();
    });
  });
}
