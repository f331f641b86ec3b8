// run.ts: takes each hard part out of a copy of bpf/ or src/ and requires its tests, by name, to fail. FILTER chooses parts by their
// sentence, or by an item that they belong to; items without a part that bites fail a run without it.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Bite, bite, wrongAsItIs } from './bite.ts';
import { Checkout } from './checkout.ts';
import { ITEMS, withoutPart } from './items.ts';
import { PARTS } from './parts.ts';

const root = join(import.meta.dirname, '../..');
const clang = process.env['CLANG_COMMAND'];
const filter = new RegExp(process.env['FILTER'] ?? '', 'i');
const jobs = Number(process.env['JOBS'] || 2);

if (process.getuid?.() !== 0 || !clang) {
  console.error('this needs root, and the compiler that the Makefile names. Type: sudo make test-teeth');
  process.exit(1);
}
const ofItems = new Set(ITEMS.filter(({ item }) => filter.test(item)).flatMap(({ parts }) => parts));
const parts = PARTS.filter(({ name }) => filter.test(name) || ofItems.has(name));
if (parts.length === 0) {
  console.error(`no hard part has a name like ${filter.source}`);
  process.exit(1);
}

/** Each of `items` once, `jobs` at a time, each job with a checkout of its own. */
async function share<T>(items: readonly T[], work: (item: T, checkout: Checkout) => Promise<void>): Promise<void> {
  const waiting = [...items];
  const worker = async (checkout: Checkout): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item, checkout);
  };
  await Promise.all(checkouts.map(worker));
}

const folder = join(root, 'build/teeth', String(process.pid));
const checkouts = Array.from({ length: jobs }, (_, i) => new Checkout(root, join(folder, String(i)), clang));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const faults: string[] = [];
const bites: Bite[] = [];
const files = Map.groupBy(
  parts.flatMap(({ noticed }) => noticed),
  ({ file }) => file,
);
await share([...files], async ([file, noticed], checkout) => {
  const fault = await wrongAsItIs(
    file,
    noticed.map(({ name }) => name),
    checkout,
  );
  if (fault) faults.push(fault);
});
for (const fault of faults) console.error(`!! fails with the code as it is: ${fault}`);
await share(parts, async (part, checkout) => {
  const result = await bite(part, checkout);
  bites.push(result);
  print(result);
});

function print({ part, why, tests, seconds }: Bite): void {
  const verdict = why === null ? 'bites   ' : 'DOES NOT';
  console.log(`${verdict} ${seconds.toFixed(1).padStart(5)} s  ${part.name}`);
  for (const { file, name } of part.noticed) console.log(`                    ${file}: ${name.source}`);
  console.log(why === null ? `                    ${tests} tests fail` : `                 !! ${why}`);
}

const biting = new Set(bites.flatMap(({ part, why }) => (why === null ? [part.name] : [])));
const missing = parts.length < PARTS.length ? [] : withoutPart(biting);
for (const { item } of missing) console.log(`!! no part of this bites: ${item}`);
const ofList =
  parts.length < PARTS.length ? '' : `; ${ITEMS.length - missing.length} of ${ITEMS.length} items of the list have a part`;
console.log(`\n${biting.size} bite, ${bites.length - biting.size} do not${ofList}`);
process.exit(biting.size === parts.length && missing.length + faults.length === 0 ? 0 : 1);
