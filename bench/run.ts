// make bench [WHAT=connect|packet|edges|sync|update] [ROUNDS=9]: runs benchmarks, prints tables, writes build/bench/<what>.json.
// Nothing here fails because of a time: numbers are for people, and for ratios within one run.
import { mkdirSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { describeMachine, machineText } from './machine.ts';
import { type Bench, resultJson, tableText } from './result.ts';

const FULL_ROUNDS = 9;
const OUTPUT = join(import.meta.dirname, '../build/bench');

/** By name, so that one that is not asked for costs nothing. */
const BENCHES: Readonly<Record<string, () => Promise<Bench>>> = {
  connect: () => import('./connect.ts'),
  packet: () => import('./packet.ts'),
  edges: () => import('./edges.ts'),
  sync: () => import('./sync.ts'),
  update: () => import('./update.ts'),
};

async function runOne(name: string, rounds: number): Promise<void> {
  const bench = await BENCHES[name]!();
  const machine = describeMachine();
  const date = new Date().toISOString();
  const quick = rounds < FULL_ROUNDS;
  const startMs = performance.now();
  const seconds = (): string => ((performance.now() - startMs) / 1000).toFixed(0).padStart(4);
  const result = await bench.run({ rounds, progress: (text) => console.error(`  ${seconds()} s  ${text}`) });
  const loadAverageAfter = Math.round(loadavg()[0]! * 100) / 100;

  console.log(`\n${name}, ${date}, ${rounds} rounds, median (min-max)`);
  console.log(machineText(machine));
  console.log(`load average ${machine.loadAverage} before, ${loadAverageAfter} after (a quiet machine starts near 0)`);
  if (quick) console.log(`QUICK: fewer than ${FULL_ROUNDS} rounds. For trying the benchmark; do not quote these numbers.`);
  for (const table of result.tables) console.log(`\n${tableText(table)}`);
  if (result.notes.length > 0) console.log(`\n${result.notes.map((note) => `- ${note}`).join('\n')}`);

  mkdirSync(OUTPUT, { recursive: true });
  const path = join(OUTPUT, `${name}.json`);
  const json = { what: name, date, machine: { ...machine, loadAverageAfter }, rounds, quick, ...resultJson(result) };
  writeFileSync(path, `${JSON.stringify(json, null, 1)}\n`);
  console.log(`\nwritten to build/bench/${name}.json`);
}

const wanted = (process.env['WHAT'] || Object.keys(BENCHES).join(',')).split(',');
const rounds = Number(process.env['ROUNDS'] || FULL_ROUNDS);
const unknown = wanted.filter((name) => !(name in BENCHES));
if (unknown.length > 0 || !Number.isInteger(rounds) || rounds < 1) {
  console.error(`usage: make bench [WHAT=${Object.keys(BENCHES).join('|')}] [ROUNDS=${FULL_ROUNDS}]`);
  process.exit(2);
}
for (const name of wanted) await runOne(name, rounds);
