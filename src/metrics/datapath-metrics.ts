// Counters that live in BPF maps, read when Prometheus asks. Names come from the datapath: a new counter there is a new label here.
import { Counter, Gauge, type Registry } from 'prom-client';
import { registerServiceMetrics, type ServiceReading } from './service-metrics.ts';
import { registerVerifyMetrics, type VerificationReading } from './verify-metrics.ts';

/** What the datapath tells at a scrape. Counters are absolute and survive the process, since their maps are pinned. */
export interface DatapathReading {
  /** Event name -> count since the maps were made. */
  readonly events: Readonly<Record<string, number>>;
  /** Drop reason -> packets refused since the maps were made. */
  readonly drops: Readonly<Record<string, number>>;
  /** Table name -> rows in use, and rows it can hold. */
  readonly tables: Readonly<Record<string, { readonly used: number; readonly size: number }>>;
  readonly services: readonly ServiceReading[];
  /** What comparing the kernel with what it should be has shown. */
  readonly verification?: VerificationReading;
}

/** Adds the turnout_datapath_*, turnout_table_* and turnout_service_* metrics. A reader that throws leaves them out of that scrape and is counted. */
export function registerDatapathMetrics(
  registry: Registry,
  read: () => DatapathReading | null,
  onReadError: (error: unknown) => void,
): void {
  const registers = [registry];
  // prom-client runs collect() and takes the values metric by metric, in order of registration: the one whose collect()
  // fills the others comes first.
  const events = new Counter({
    name: 'turnout_datapath_events_total',
    help: 'What the datapath did, by event',
    labelNames: ['event'] as const,
    registers,
    collect: refresh,
  });
  const drops = new Counter({
    name: 'turnout_datapath_drops_total',
    help: 'Packets and connections refused by the datapath, by reason',
    labelNames: ['reason'] as const,
    registers,
  });
  const rows = new Gauge({
    name: 'turnout_table_rows',
    help: 'Rows in use, by table',
    labelNames: ['table'] as const,
    registers,
  });
  const size = new Gauge({
    name: 'turnout_table_size',
    help: 'Rows a table can hold',
    labelNames: ['table'] as const,
    registers,
  });
  const readErrors = new Counter({
    name: 'turnout_datapath_read_errors_total',
    help: 'Scrapes at which the datapath could not be read; its other metrics are missing then',
    registers,
  });

  const setServices = registerServiceMetrics(registry);
  let verification: VerificationReading | null = null;
  registerVerifyMetrics(registry, () => verification);

  function refresh(): void {
    setServices([]);
    verification = null;
    for (const metric of [events, drops, rows, size]) metric.reset();
    let reading: DatapathReading | null = null;
    try {
      reading = read();
    } catch (error) {
      readErrors.inc();
      onReadError(error);
    }
    if (reading === null) return;
    verification = reading.verification ?? null;
    for (const [event, count] of Object.entries(reading.events)) events.inc({ event }, count);
    for (const [reason, count] of Object.entries(reading.drops)) drops.inc({ reason }, count);
    for (const [table, use] of Object.entries(reading.tables)) {
      rows.set({ table }, use.used);
      size.set({ table }, use.size);
    }
    setServices(reading.services);
  }
}
