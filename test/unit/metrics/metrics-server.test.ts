import { afterEach, expect, test } from 'vitest';
import { createLogger } from '../../../src/log.ts';
import { Metrics } from '../../../src/metrics/metrics.ts';
import { MetricsServer } from '../../../src/metrics/metrics-server.ts';

const open: MetricsServer[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

async function started(metrics: Metrics): Promise<(path: string) => Promise<{ status: number; type: string; body: string }>> {
  const logger = createLogger({ format: 'text', verbosity: 0, write: () => undefined });
  const server = new MetricsServer({ address: '127.0.0.1:0', hardFail: true, metrics, proxyMode: () => 'ebpf', logger });
  open.push(server);
  await server.start();
  return async (path) => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`);
    return { status: response.status, type: response.headers.get('content-type') ?? '', body: await response.text() };
  };
}

test('/metrics answers in the Prometheus text format', async () => {
  const get = await started(new Metrics({ proxyMode: 'ebpf', version: '1' }));
  const { status, type, body } = await get('/metrics');
  expect(status).toBe(200);
  expect(type).toContain('text/plain; version=0.0.4');
  expect(body).toContain('# TYPE kubeproxy_sync_proxy_rules_duration_seconds histogram');
  expect(body).toContain(
    '# HELP kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds The last time a sync of proxy rules was queued',
  );
});

test('/metrics answers although the datapath cannot be read', async () => {
  const metrics = new Metrics({ proxyMode: 'ebpf', version: '1' });
  metrics.setDatapathReader(() => {
    throw new Error('gone');
  });
  const get = await started(metrics);
  expect((await get('/metrics')).status).toBe(200);
});

test('/proxyMode is the mode and nothing else', async () => {
  const get = await started(new Metrics({ proxyMode: 'ebpf', version: '1' }));
  expect(await get('/proxyMode')).toEqual({ status: 200, type: 'text/plain; charset=utf-8', body: 'ebpf' });
});

test('/healthz is ok; other paths are 404', async () => {
  const get = await started(new Metrics({ proxyMode: 'ebpf', version: '1' }));
  expect(await get('/healthz')).toMatchObject({ status: 200, body: 'ok' });
  expect(await get('/healthz/ping')).toMatchObject({ status: 200, body: 'ok' });
  expect(await get('/debug')).toMatchObject({ status: 404 });
});
