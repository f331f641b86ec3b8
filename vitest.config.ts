// Test tiers as projects. `unit` needs nothing; the others need root and a built tree (`make test` sees to both).
import { defineConfig } from 'vitest/config';

// Files of a root tier run one after the other: two cores, and each makes namespaces, programs and processes.
const rootTier = (name: string, testTimeoutMs: number) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    pool: 'forks' as const,
    fileParallelism: false,
    testTimeout: testTimeoutMs,
    hookTimeout: 120_000,
  },
});

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'], pool: 'forks' as const, testTimeout: 30_000 } },
      rootTier('native', 60_000),
      rootTier('datapath', 60_000),
      rootTier('netns', 120_000),
      rootTier('cluster', 300_000),
    ],
  },
});
