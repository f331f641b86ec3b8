// make bench WHAT=edges: what is not the middle of the road: rejects, affinity, fragments, full tables, a flood; and what counting costs.

import type { Edge } from './edge.ts';
import { affinity } from './edge-affinity.ts';
import { counters } from './edge-counters.ts';
import { flood } from './edge-flood.ts';
import { fragments } from './edge-fragments.ts';
import { load } from './edge-load.ts';
import { reject } from './edge-reject.ts';
import { onOneCpu } from './one-cpu.ts';
import type { BenchOptions, BenchResult } from './result.ts';

const EDGES: readonly Edge[] = [counters, affinity, fragments, reject, load, flood];

export async function run(options: BenchOptions): Promise<BenchResult> {
  const results: BenchResult[] = [];
  await onOneCpu(async () => {
    for (const edge of EDGES) results.push(await edge(options));
  });
  return {
    tables: results.flatMap(({ tables }) => tables),
    notes: [
      'TCP over IPv4, 64 octets, both hooks; where nothing else is said 10,000 Services with 8 endpoints each, 262,144 rows of flows (twice the default). One CPU; no device, no stack, no other traffic.',
      'Ratios are taken within a round. Every packet was restored before it was sent and looked at afterwards; a row with one wrong outcome shows no numbers.',
      ...results.flatMap(({ notes }) => notes),
    ],
  };
}
