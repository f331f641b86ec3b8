// The machine that a number was measured on, for whoever reads it elsewhere.
import { existsSync, readFileSync } from 'node:fs';
import { arch, availableParallelism, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';

const VULNERABILITIES = '/sys/devices/system/cpu/vulnerabilities';

export interface Machine {
  readonly cpu: string;
  readonly cpus: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly os: string;
  readonly node: string;
  readonly mitigations: string; // they make each call or return dearer, and so whole machines incomparable
  readonly loadAverage: number; // of the last minute: other work on the machine spoils numbers
}

export function describeMachine(): Machine {
  const find = (path: string, pattern: RegExp): string =>
    (existsSync(path) && pattern.exec(readFileSync(path, 'utf8'))?.[1]?.trim()) || 'unknown';
  return {
    cpu: `${find('/proc/cpuinfo', /^model name\s*:(.*)$/m)} (${arch()})`,
    cpus: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    os: find('/etc/os-release', /^PRETTY_NAME="?([^"\n]*)/m),
    node: process.version,
    mitigations: ['spectre_v2', 'spec_rstack_overflow'].map((name) => find(join(VULNERABILITIES, name), /^(.*)$/m)).join('; '),
    loadAverage: Math.round(loadavg()[0]! * 100) / 100,
  };
}

export const machineText = (machine: Machine): string =>
  `${machine.cpus} CPUs ${machine.cpu}, ${machine.memoryGiB} GiB, Linux ${machine.kernel}, ${machine.os}, Node ${machine.node}\nmitigations: ${machine.mitigations}`;
