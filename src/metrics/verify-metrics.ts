// What self-verification has found, as metrics. The numbers count since the process started; they are read at a scrape.
import { Counter, Gauge, type Registry } from 'prom-client';

/** The part of a report that becomes metrics. */
export interface VerificationReading {
  readonly rounds: number;
  readonly lastRound: { readonly endedAt: string; readonly durationMs: number } | null;
  readonly tables: readonly {
    readonly name: string;
    readonly rowsCompared: number;
    readonly missing: number;
    readonly differs: number;
    readonly unexpected: number;
    readonly failures: number;
  }[];
  readonly canaries: readonly {
    readonly hook: string;
    readonly state: 'proven' | 'failed' | 'unproven';
    readonly runs: number;
    readonly failures: number;
  }[];
  readonly blindSpots: readonly { readonly kind: string; readonly count: number }[] | null;
  readonly refused: { readonly servicePorts: readonly unknown[] };
}

const DRIFT_KINDS = ['missing', 'differs', 'unexpected'] as const;

/** Adds turnout_verify_*, turnout_drift_*, turnout_canary_*, turnout_blind_spot and turnout_service_ports_refused. */
export function registerVerifyMetrics(registry: Registry, read: () => VerificationReading | null): void {
  const registers = [registry];
  const counter = <L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[] = [],
    collect?: () => void,
  ): Counter<L> => new Counter({ name, help, labelNames, registers, ...(collect && { collect }) });
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[] = []): Gauge<L> =>
    new Gauge({ name, help, labelNames, registers });
  // The one that fills the others comes first, as in datapath-metrics.ts.
  const rounds = counter(
    'turnout_verify_rounds_total',
    'Complete comparisons of the kernel with what should be in it',
    [],
    refresh,
  );
  const metrics = {
    rows: counter('turnout_verify_rows_total', 'Rows compared, by table', ['table']),
    lastRound: gauge('turnout_verify_last_round_timestamp_seconds', 'When the last complete comparison ended'),
    duration: gauge('turnout_verify_last_round_duration_seconds', 'How long the last complete comparison took'),
    drift: counter('turnout_drift_total', 'Rows and links that somebody else had changed, by table and kind', ['table', 'kind']),
    failures: counter('turnout_drift_repair_failures_total', 'Changed rows and links that could not be put right', ['table']),
    canaryRuns: counter('turnout_canary_runs_total', 'Canary connections, by the hook they prove', ['hook']),
    canaryFailures: counter('turnout_canary_failures_total', 'Canary connections that failed, by hook', ['hook']),
    canaryUp: gauge('turnout_canary_up', 'Whether the last canary came through, by hook', ['hook']),
    blindSpots: gauge('turnout_blind_spot', 'What turnout cannot see or do beside others, by kind: how often it was seen', [
      'kind',
    ]),
    refused: gauge('turnout_service_ports_refused', 'Service ports that the last pass could not program'),
  };

  function refresh(): void {
    rounds.reset();
    for (const metric of Object.values(metrics)) metric.reset();
    const reading = read();
    if (reading === null) return;
    rounds.inc(reading.rounds);
    metrics.refused.set(reading.refused.servicePorts.length);
    if (reading.lastRound) {
      metrics.lastRound.set(Date.parse(reading.lastRound.endedAt) / 1000);
      metrics.duration.set(reading.lastRound.durationMs / 1000);
    }
    for (const table of reading.tables) {
      metrics.rows.inc({ table: table.name }, table.rowsCompared);
      for (const kind of DRIFT_KINDS) metrics.drift.inc({ table: table.name, kind }, table[kind]);
      metrics.failures.inc({ table: table.name }, table.failures);
    }
    for (const { hook, state, runs, failures } of reading.canaries.filter((one) => one.state !== 'unproven')) {
      metrics.canaryRuns.inc({ hook }, runs);
      metrics.canaryFailures.inc({ hook }, failures);
      metrics.canaryUp.set({ hook }, state === 'proven' ? 1 : 0);
    }
    for (const { kind, count } of reading.blindSpots ?? []) metrics.blindSpots.set({ kind }, count);
  }
}
