// make fuzz [PACKETS=1000000] [SEED=n] [PACKET=n]: random packets through tc_ingress and tc_egress, each compared with a model.
// PACKET=n sends that one again, after the packets of its round that led to it, and says why it should become what.
import { Fuzz } from './fuzz.ts';

const PACKETS = 1_000_000;

function numberOf(name: string, usual: number): number {
  const text = process.env[name] || String(usual);
  if (/^\d{1,10}$/.test(text)) return Number(text);
  console.error(`fuzz: ${name}=${text} is no whole number`);
  process.exit(2);
}

if (process.getuid?.() !== 0) {
  console.error('fuzz needs root: it loads eBPF programs');
  process.exit(2);
}
const seed = numberOf('SEED', Date.now() % 1_000_000);
const packets = numberOf('PACKETS', PACKETS);
const packet = process.env['PACKET'] ? numberOf('PACKET', 0) : null;
const fuzz = await Fuzz.load({ seed, object: process.env['FUZZ_OBJECT'] || 'build/fuzz/datapath.bpf.o' });
let isWell = true;
if (packet !== null) {
  const { text, isEqual } = fuzz.explain(packet);
  console.log(text);
  isWell = isEqual;
} else {
  console.log(`SEED=${seed}: ${packets} packets`);
  const startedMs = performance.now();
  let shownMs = startedMs;
  const difference = fuzz.run(packets, (done) => {
    const nowMs = performance.now();
    if (nowMs - shownMs < 5000) return;
    shownMs = nowMs;
    console.log(`  ${done} of ${packets}, ${(((nowMs - startedMs) * 1000) / done).toFixed(1)} us each`);
  });
  if (difference) console.log(difference.text);
  else
    console.log(`${fuzz.coverage.text()}\nno difference, SEED=${seed}, ${((performance.now() - startedMs) / 1000).toFixed(0)} s`);
  isWell = !difference;
}
fuzz.close();
process.exit(isWell ? 0 : 1);
