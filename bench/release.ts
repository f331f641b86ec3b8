// turnout as a release starts it: the bundle, with the Node that runs the benchmark. bin/turnout prefers a checkout's sources.
import { join } from 'node:path';

const BUNDLE = join(import.meta.dirname, '../dist/turnout.js');

export const TURNOUT = { command: process.execPath, script: BUNDLE, ready: '"Ready"' } as const;

/** Leaves the machine's own settings alone; changes are applied at once. */
export const turnoutFlags = (nodeName: string, bpffs: string, cgroup: string): string[] => [
  ...[TURNOUT.script, `--hostname-override=${nodeName}`, `--ebpf-bpffs-root=${bpffs}`, `--ebpf-cgroup-root=${cgroup}`],
  ...['--conntrack-max-per-core=0', '--oom-score-adj=0', '--ebpf-min-sync-period=0s', '--cluster-cidr=10.244.0.0/16'],
];
