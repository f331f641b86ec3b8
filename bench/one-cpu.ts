// A test run runs on the thread that asks for it: this one, which stays on the last CPU for as long as the work takes.
import { availableParallelism } from 'node:os';
import { run as command } from '../lab/shell.ts';

export async function onOneCpu<T>(work: () => Promise<T>): Promise<T> {
  const last = availableParallelism() - 1;
  const pin = (cpus: string): void => void command('taskset', '-cp', cpus, String(process.pid));
  pin(String(last));
  try {
    return await work();
  } finally {
    pin(`0-${last}`);
  }
}
