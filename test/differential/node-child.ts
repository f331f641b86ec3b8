// node-child.ts KIND BPFFS: runs on the node of a world. Serves the objects to the proxy there, and reads what it programmed.
// Standard input: lines of JSON, a list of events, or {"read":true}; standard output: the server's port, then an answer for each line.
import { execFile } from 'node:child_process';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { viewServices } from '../../src/backend/ebpf/observe.ts';
import { ListWatch } from './list-watch.ts';
import { markerInIptables, markerInNftables, rowOf } from './marker.ts';
import { type ApiEvent, hostPort } from './objects.ts';

const run = promisify(execFile);
const MAX_OUTPUT_OCTETS = 64 * 1024 * 1024;

/** A table that is not there yet holds nothing. */
async function output(command: string, ...args: string[]): Promise<string> {
  try {
    return (await run(command, args, { maxBuffer: MAX_OUTPUT_OCTETS })).stdout;
  } catch {
    return '';
  }
}

/** The marker as the proxy of this node has it. */
const READERS: Readonly<Record<string, (bpffs: string) => Promise<string[]>>> = {
  nftables: async () => {
    const tables = await Promise.all(['ip', 'ip6'].map((family) => output('nft', 'list', 'table', family, 'kube-proxy')));
    return markerInNftables(tables.join('\n'));
  },
  iptables: async () => {
    const tables = await Promise.all(['iptables-save', 'ip6tables-save'].map((save) => output(save, '-t', 'nat')));
    return markerInIptables(tables.join('\n'));
  },
  ebpf: async (bpffs) =>
    viewServices(bpffs)
      .filter(({ name }) => name === 'marker')
      .map(({ address, port, endpoints }) => rowOf(hostPort(address, port), endpoints))
      .sort(),
};

const [, , kind = '', bpffs = ''] = process.argv;
const read = READERS[kind];
if (!read) throw new Error(`node-child: no reader for ${kind}`);
const listWatch = new ListWatch();
console.log(await listWatch.listen());
const input = createInterface({ input: process.stdin });
input.on('close', () => process.exit(0));
for await (const line of input) {
  const request = JSON.parse(line) as ApiEvent[] | { read: true };
  if (Array.isArray(request)) for (const event of request) listWatch.apply(event);
  console.log(JSON.stringify(Array.isArray(request) ? [] : await read(bpffs)));
}
