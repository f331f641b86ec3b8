// What netfilter's conntrack knows is none of our business: its flows pass, its ports are not given out.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { TRACKED } from './cluster.ts';

interface Outcome {
  readonly title: string;
  readonly toClusterIP: string[];
  readonly toNodePort: string[];
  readonly toNodePortUnanswered: boolean;
  readonly toSnatRange: string[];
  readonly takesOtherPort: boolean;
}

let outcomes: Outcome[];
beforeAll(() => {
  const child = join(import.meta.dirname, 'children/known-to-conntrack.ts');
  const output = execFileSync('unshare', ['--net', process.execPath, child], { encoding: 'utf8' });
  outcomes = JSON.parse(output) as Outcome[];
});

describe.each(TRACKED)('over $title', ({ title, transport }) => {
  const outcome = (): Outcome => outcomes.find((found) => found.title === title)!;

  test('a packet to a port of the SNAT range is dropped, until conntrack knows its flow', () => {
    expect(outcome().toSnatRange).toEqual(['drop', 'next', 'unchanged']);
  });

  test('a packet in the midst of a flow to a node port passes unchanged when conntrack knows it', () => {
    expect(outcome().toNodePort).toEqual([transport === 'TCP' ? 'drop' : '', 'next', 'unchanged']);
  });

  test('a client that was there before the Service gets through to its node port, without a pause', () => {
    expect(outcome().toNodePortUnanswered).toBe(true);
  });

  test('a port that conntrack has given to another flow is not given out', () => {
    expect(outcome().takesOtherPort).toBe(true);
  });
});

describe.each(TRACKED.filter(({ transport }) => transport === 'TCP'))('over $title', ({ title }) => {
  test('a packet in the midst of a connection to a ClusterIP passes unchanged when conntrack knows it', () => {
    expect(outcomes.find((found) => found.title === title)!.toClusterIP).toEqual(['drop', 'next', 'unchanged']);
  });
});
