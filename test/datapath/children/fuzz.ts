// In a network namespace of its own, where neither sockets nor netfilter know any flow: some packets of make fuzz, with a fixed seed.
// fuzz.ts OBJECT SEED PACKETS. Prints what was met, and the first difference.
import { Fuzz } from '../../fuzz/fuzz.ts';

const [object = '', seed, packets] = process.argv.slice(2);
const fuzz = await Fuzz.load({ object, seed: Number(seed) });
const difference = fuzz.run(Number(packets));
const { coverage } = fuzz;
fuzz.close();
console.log(
  JSON.stringify({
    difference: difference?.text ?? '',
    packets: coverage.packets,
    matched: coverage.matched,
    table: coverage.table(),
  }),
);
