// What each Service port did, by name. A series for each Service port and metric: 10,000 Service ports are 60,000 series, 5 MB of text, and
// with names and flows to read (25 MB when the table has its default size) each scrape costs a few tenths of a second of one core. Series
// of single endpoints are left out for that reason. Nothing is kept between scrapes, as counters of prom-client would be.
import type { Metric, Registry } from 'prom-client';

/** One Service port in one family; families are added up. */
export interface ServiceReading {
  readonly namespace: string;
  readonly service: string;
  /** Its name, or its number where it has none. */
  readonly port: string;
  readonly connections: number;
  readonly active: number;
  readonly packets: number;
  readonly bytes: number;
  readonly rejects: number;
  readonly drops: number;
}

const FIELDS = ['connections', 'packets', 'bytes', 'rejects', 'drops', 'active'] as const;
type Field = (typeof FIELDS)[number];
type Labels = Pick<ServiceReading, 'namespace' | 'service' | 'port'>;
type Series = { readonly labels: Labels } & { [Name in Field]: number };

const HELP: Readonly<Record<Field, string>> = {
  connections: 'Connections that were given an endpoint, by Service port',
  packets: 'Packets of flows in both directions, by Service port; those of sockets translated at connect() meet no program',
  bytes: 'Octets of flows in both directions from the IP header on, by Service port; without those of translated sockets',
  rejects: 'Connections refused because there was no endpoint, by Service port',
  drops: 'Packets dropped after their Service was known, by Service port',
  active: 'Flows that are not closed and open sockets translated at connect(), by Service port',
};

/**
 * Adds the turnout_service_* metrics. The result says what the next scrape shows; the metrics are asked for it after those that were
 * registered before.
 */
export function registerServiceMetrics(registry: Registry): (services: readonly ServiceReading[]) => void {
  let series: readonly Series[] = [];
  for (const [index, field] of FIELDS.entries()) {
    const type = field === 'active' ? 'gauge' : 'counter';
    const description = {
      name: `turnout_service_${field}${type === 'counter' ? '_total' : ''}`,
      help: HELP[field],
      ...{ type, aggregator: 'sum' },
    };
    const get = (): object => {
      const values = series.map((one) => ({ labels: one.labels, value: one[field] }));
      if (index === FIELDS.length - 1) series = [];
      return { ...description, values };
    };
    // What a registry asks of a metric; the type names prom-client's own classes only.
    registry.registerMetric({ ...description, get, reset: () => undefined } as unknown as Metric);
  }
  return (services) => {
    series = sumFamilies(services);
  };
}

function sumFamilies(services: readonly ServiceReading[]): Series[] {
  const series = new Map<string, Series>();
  for (const one of services) {
    const { namespace, service, port, ...counts } = one;
    const key = `${namespace}/${service}:${port}`;
    const former = series.get(key);
    if (former) for (const field of FIELDS) former[field] += counts[field];
    else series.set(key, { labels: { namespace, service, port }, ...counts });
  }
  return [...series.values()];
}
