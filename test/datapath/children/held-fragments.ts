// In a network namespace of its own, as what is put back into the queue comes in on the loopback device. Prints what came of each family.
import { execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { FAMILIES, servicePort } from '../cluster.ts';
import { Datapath } from '../datapath.ts';
import { firstFragment, laterFragment, toService } from '../fragment-packets.ts';
import { octetsOf } from '../packet/write-packet.ts';

const PATIENCE_MS = 5000;

execFileSync('ip', ['link', 'set', 'lo', 'up']);
const datapath = await Datapath.load();
const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');

const watch = spawn(join(import.meta.dirname, '../../../build/lab/frames'), ['watch', 'lo'], {
  stdio: ['pipe', 'pipe', 'inherit'],
});
const lines = createInterface({ input: watch.stdout })[Symbol.asyncIterator]();
await lines.next(); // "ready"

/** The next frames that come in on the loopback device; fewer where no more come. */
async function queued(count: number): Promise<string[]> {
  const frames: string[] = [];
  const late = setTimeout(() => watch.kill(), PATIENCE_MS);
  while (frames.length < count) {
    const { value, done } = await lines.next();
    if (done) break;
    if (value.startsWith('<')) frames.push(value.slice(1));
  }
  clearTimeout(late);
  return frames;
}

const outcomes = [];
for (const { addresses, title } of FAMILIES) {
  datapath.program(servicePort(addresses, 'UDP'));
  const asked = toService(addresses);
  const first = octetsOf(firstFragment(asked, 7));
  const [middle, last] = [{ offset: 1448, octets: 1440, more: true }, { offset: 2888 }].map((place) =>
    octetsOf(laterFragment(asked, 7, place)),
  ) as [Uint8Array, Uint8Array];
  const verdicts: string[] = [];
  const send = (octets: Uint8Array): void => void verdicts.push(datapath.ingress(octets).verdict);
  const counted = datapath.counted(() => [last, middle, first].forEach(send));
  const inQueue = await queued(3);
  const again: string[] = [];
  const countedAgain = datapath.counted(() => {
    for (const frame of inQueue) again.push(hex(datapath.ingress(Uint8Array.from(Buffer.from(frame, 'hex'))).packet));
  });
  outcomes.push({ title, verdicts, counted, inQueue, again, countedAgain });
}
watch.kill();
datapath.close();
process.stdout.write(JSON.stringify(outcomes));
