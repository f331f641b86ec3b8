// make test-differential MODE=ebpf [ROUNDS=200] [SEED=n] [SOCKET_PATH=tcp|all|off] [FEATURES=-name,+name] [ONLY=round]
// [TURNOUT_FLAGS=...] [REFERENCE=nftables|iptables]: real kube-proxy and Turnout on equal nodes see the same random objects and the
// same changes; what a client meets must be the same. No model says what is right: kube-proxy does.
import { Lab } from '../../lab/lab.ts';
import { randomChange } from './change.ts';
import { Dice } from './dice.ts';
import type { Generator } from './generate.ts';
import { eventsBetween, NO_OBJECTS, type Objects } from './objects.ts';
import { type Options, readOptions, replayCommand } from './options.ts';
import { planRound } from './plan.ts';
import { Report } from './report.ts';
import { Rounds } from './round.ts';
import { World } from './world.ts';

const MOST_CHANGES = 3;
const FIRST_SERVICES = 6; // in the first round

function options(): Options {
  try {
    if (process.getuid?.() !== 0) throw new Error('needs root: it makes network namespaces and loads eBPF programs');
    return readOptions(process.env, Date.now() % 1_000_000);
  } catch (error) {
    console.error(`test-differential: ${(error as Error).message}`);
    process.exit(2);
  }
}

/** Changes and probes have dice of their own in each round: a round is the same whatever was done in the rounds before. */
const generatorFor = ({ seed, features }: Options, round: number, purpose: number): Generator => ({
  dice: new Dice(seed * 10_007 + round * 2 + purpose),
  features,
});

function changed(asked: Options, round: number, before: Objects): { objects: Objects; texts: string[]; services: string[] } {
  const generator = generatorFor(asked, round, 0);
  const count = round === 1 ? FIRST_SERVICES : generator.dice.between(1, MOST_CHANGES);
  let objects = before;
  const texts: string[] = [];
  const services = new Set<string>();
  for (let i = 0; i < count; i++) {
    const change = randomChange(generator, objects);
    objects = change.objects;
    texts.push(change.services.length === 1 ? `${change.text} ${change.services[0]}` : change.text);
    for (const name of change.services) services.add(name);
  }
  return { objects, texts, services: [...services] };
}

const asked = options();
console.log(
  `SEED=${asked.seed}: ${asked.rounds} rounds, kube-proxy ${asked.mode}, turnout ebpf, socket path ${asked.socketPath}`,
);
const lab = new Lab();
const report = new Report((round) => replayCommand(asked, process.env, round));
let isWell = false;
try {
  const worlds = [new World(lab, 'k'), new World(lab, 't')] as const;
  const [reference, turnout] = worlds;
  await Promise.all([
    ...worlds.map(({ network }) => network.listen(asked.features.has('sctp'))),
    reference.startReference(asked.mode),
    turnout.startTurnout([`--ebpf-socket-path=${asked.socketPath}`, ...asked.turnoutFlags]),
  ]);
  const rounds = new Rounds(worlds, asked, report);
  let objects = NO_OBJECTS;
  for (let round = 1; round <= asked.rounds; round++) {
    const startMs = performance.now();
    const before = objects;
    const change = changed(asked, round, before);
    objects = change.objects;
    const events = eventsBetween(before, objects);
    await Promise.all(
      worlds.map(async (world) => {
        await world.tell(events);
        await world.settle(objects.zone);
      }),
    );
    rounds.change(objects);
    if (asked.only > 0 && round !== asked.only) continue;
    const settledMs = performance.now() - startMs;
    const counts = { agreed: report.agreed, byDesign: report.byDesign, disagreed: report.disagreed };
    for (const { network } of worlds) network.useSourcePorts(round);
    const probes = planRound(generatorFor(asked, round, 1), before, objects, change.services);
    await rounds.probe(round, objects, probes, asked.features.has('held'));
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
    const sums = `${report.agreed - counts.agreed} agree, ${report.byDesign - counts.byDesign} by design, ${report.disagreed - counts.disagreed} disagree`;
    console.log(`round ${round}: ${change.texts.join(', ')}: ${sums} (${seconds} s, ${Math.round(settledMs)} ms to settle)`);
  }
  isWell = report.close(asked.rounds);
} finally {
  await lab.close();
}
process.exit(isWell ? 0 : 1);
