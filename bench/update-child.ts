// update-child.ts SERVICES ENDPOINTS_EACH CHANGES BPFFS CGROUP: runs in the node's namespace. Serves list and watch, starts turnout, sends
// one change at a time and looks at the pinned map until it is there. Prints its percentiles as JSON.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pinFolders } from '../src/backend/ebpf/pins.ts';
import { frontendKeyBytes } from '../src/backend/ebpf/service-tables.ts';
import { addressOctets } from '../src/datapath/address.ts';
import { readFrontend } from '../src/datapath/layout.gen.ts';
import { BpfMap } from '../src/native/bpf-map.ts';
import { startListWatchServer } from './list-watch-server.ts';
import { clusterIpOf, NODE_NAME } from './objects.ts';
import { TURNOUT, turnoutFlags } from './release.ts';

const TCP = 6;
const QUIET_MS = 2; // between two changes, so that each finds an idle process
const LOST_MS = 5000;

const [services = 0, endpointsEach = 0, changes = 0] = process.argv.slice(2, 5).map(Number);
const [bpffs = '', cgroup = ''] = process.argv.slice(5);

const server = await startListWatchServer({ services, endpointsEach });
const flags = [...turnoutFlags(NODE_NAME, bpffs, cgroup), `--master=http://127.0.0.1:${server.port}`, '--kube-api-qps=-1'];
const turnout = spawn(TURNOUT.command, flags, { stdio: ['ignore', 'pipe', 'pipe'] });
process.on('exit', () => turnout.kill('SIGKILL'));
await new Promise<void>((resolve, reject) => {
  let output = '';
  const look = (data: Buffer): void => {
    output += data.toString();
    if (output.includes(TURNOUT.ready) && server.watchers() > 0) resolve();
  };
  turnout.stdout.on('data', look);
  turnout.stderr.on('data', look);
  turnout.on('exit', (status) => reject(new Error(`turnout ended (${status}):\n${output}`)));
});
while (server.watchers() === 0) await sleep(10);

const [folder] = pinFolders(bpffs);
if (!folder) throw new Error('turnout pinned nothing');
const frontends = BpfMap.openPinned(join(folder.maps, 'frontends'));

/** Looks without a pause, on the core that the proxy does not use; the event leaves first. */
async function change(service: number, endpoints: number): Promise<number> {
  const key = frontendKeyBytes({ address: addressOctets(clusterIpOf(service)), port: 80, protocol: TCP });
  const startMs = performance.now();
  server.update(service, endpoints);
  for (;;) {
    await new Promise((resolve) => setImmediate(resolve)); // lets the socket write go out
    const row = frontends.get(key);
    const elapsedMs = performance.now() - startMs;
    if (row && readFrontend(row).cluster.count === endpoints) return elapsedMs;
    if (elapsedMs > LOST_MS) throw new Error(`the change of Service ${service} did not arrive within ${LOST_MS / 1000} s`);
  }
}

const latenciesMs: number[] = [];
for (let i = 0; i < changes; i++) {
  // Every Service in turn; more endpoints the first time round, fewer the next.
  latenciesMs.push(await change(i % services, endpointsEach + (Math.floor(i / services) % 2 === 0 ? 1 : 0)));
  await sleep(QUIET_MS);
}
latenciesMs.sort((a, b) => a - b);
const percentileUs = (p: number): number => (latenciesMs[Math.ceil((p / 100) * latenciesMs.length) - 1] ?? Number.NaN) * 1000;
console.log(JSON.stringify({ p50Us: percentileUs(50), p99Us: percentileUs(99) }));
process.exit(0);
