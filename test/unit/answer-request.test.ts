// What a running turnout answers to its own commands.
import { expect, test } from 'vitest';
import { answerRequest } from '../../src/answer-request.ts';
import { FakeBackend } from '../../src/backend/fake/fake-backend.ts';
import type { VerifyReport } from '../../src/cli/verify-table.ts';
import { ClusterState } from '../../src/state/cluster-state.ts';

const state = new ClusterState('node1', { startedAtMs: 0 });

test('what comparing has shown is told without reading the tables', async () => {
  const report = { rounds: 3 } as VerifyReport;
  class Verified extends FakeBackend {
    reading(): never {
      throw new Error('a walk through every table, for each `turnout status`');
    }
    verification(): VerifyReport {
      return report;
    }
  }
  expect(await answerRequest({ ask: 'verification' }, new Verified(), state)).toBe(report);
});

test('a backend that does not compare has nothing to tell, and what it cannot do is an error with a code', async () => {
  expect(await answerRequest({ ask: 'verification' }, new FakeBackend(), state)).toBeNull();
  await expect(answerRequest({ ask: 'verify' }, new FakeBackend(), state)).rejects.toMatchObject({ code: 'EUNKNOWNREQUEST' });
});
