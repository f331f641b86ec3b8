import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { HealthServer, type HealthServerOptions } from '../../../src/health/health-server.ts';
import { splitHostPort } from '../../../src/health/retrying-listener.ts';
import { createLogger } from '../../../src/log.ts';

const NOW_MS = Date.parse('2026-11-21T08:15:00.250Z');
const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

interface Fixture {
  readonly server: HealthServer;
  readonly clock: { nowMs: number };
  readonly probes: string[];
  readonly lines: string[];
}

function healthServer(options: Partial<HealthServerOptions> = {}): Fixture {
  const clock = { nowMs: NOW_MS };
  const probes: string[] = [];
  const lines: string[] = [];
  const server = new HealthServer({
    address: '127.0.0.1:0',
    hardFail: false,
    syncPeriodMs: 30_000,
    nodeEligible: true,
    logger: createLogger({ format: 'text', verbosity: 0, write: (line) => void lines.push(line) }),
    onProbe: (endpoint, statusCode) => void probes.push(`${endpoint} ${statusCode}`),
    now: () => clock.nowMs,
    ...options,
  });
  open.push(server);
  return { server, clock, probes, lines };
}

async function get(server: HealthServer, path: string, host = '127.0.0.1') {
  const response = await fetch(`http://${host}:${server.port}${path}`);
  return { status: response.status, headers: response.headers, body: await response.text() };
}

/** A socket that holds a port of 127.0.0.1. */
async function occupiedPort(): Promise<{ holder: Server; port: number }> {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
  open.push(holder);
  return { holder, port: (holder.address() as AddressInfo).port };
}

test("a healthy proxy answers 200 with kube-proxy's body", async () => {
  const { server, clock, probes } = healthServer();
  await server.start();
  server.updated('IPv4');
  server.updated('IPv6');
  clock.nowMs += 1000;
  const healthz = await get(server, '/healthz');
  expect(healthz.status).toBe(200);
  expect(healthz.headers.get('content-type')).toBe('application/json');
  expect(healthz.headers.get('x-content-type-options')).toBe('nosniff');
  expect(healthz.body).toBe(
    '{"lastUpdated":"2026-11-21T08:15:01.250Z","currentTime":"2026-11-21T08:15:01.250Z","nodeEligible":true,"healthy":true,' +
      '"status":{"IPv4":{"lastUpdated":"2026-11-21T08:15:00.250Z","healthy":true},' +
      '"IPv6":{"lastUpdated":"2026-11-21T08:15:00.250Z","healthy":true}}}',
  );
  expect(Object.keys(JSON.parse((await get(server, '/livez')).body))).toEqual([
    'lastUpdated',
    'currentTime',
    'healthy',
    'status',
  ]);
  expect(probes).toEqual(['healthz 200', 'livez 200']);
});

test('a node that is not eligible fails /healthz only, and its datapath is still called healthy', async () => {
  const { server, probes } = healthServer();
  await server.start();
  server.updated('IPv4');
  server.setNodeEligible(false);
  const healthz = await get(server, '/healthz?verbose');
  expect(healthz.status).toBe(503);
  expect(JSON.parse(healthz.body)).toMatchObject({ nodeEligible: false, healthy: true });
  expect((await get(server, '/livez')).status).toBe(200);
  expect(probes).toEqual(['healthz 503', 'livez 200']);
});

test('a change that waits for two sync periods fails both, and lastUpdated stays at the newest sync', async () => {
  const { server, clock } = healthServer();
  await server.start();
  server.updated('IPv4');
  server.queuedUpdate('IPv4');
  clock.nowMs += 60_000;
  const livez = await get(server, '/livez');
  expect(livez.status).toBe(503);
  expect(JSON.parse(livez.body)).toMatchObject({
    lastUpdated: '2026-11-21T08:15:00.250Z',
    currentTime: '2026-11-21T08:16:00.250Z',
    healthy: false,
  });
  expect((await get(server, '/healthz')).status).toBe(503);
  expect(server.isHealthy()).toBe(false);
  server.updated('IPv4');
  expect((await get(server, '/livez')).status).toBe(200);
});

test('other paths are 404 and count as no probe', async () => {
  const { server, probes } = healthServer();
  await server.start();
  expect((await get(server, '/')).status).toBe(404);
  expect(probes).toEqual([]);
});

test('0.0.0.0 answers on both families, as with Go', async () => {
  const { server } = healthServer({ address: '0.0.0.0:0' });
  await server.start();
  expect((await get(server, '/livez', '127.0.0.1')).status).toBe(200);
  expect((await get(server, '/livez', '[::1]')).status).toBe(200);
});

test('an address that is taken is tried again until it is free', async () => {
  const { holder, port } = await occupiedPort();
  const { server, lines } = healthServer({ address: `127.0.0.1:${port}`, retryMs: 10 });
  await server.start();
  expect(server.port).toBe(0);
  expect(lines[0]).toMatch(
    /^E.*"Cannot serve health; trying again".*another process already listens there.*--healthz-bind-address/,
  );
  await new Promise((resolve) => holder.close(resolve));
  await expect.poll(() => server.port, { timeout: 10_000 }).toBe(port);
  expect((await get(server, '/livez')).status).toBe(200);
});

test('with hardFail a taken address is an error that says what to do', async () => {
  const { port } = await occupiedPort();
  const { server } = healthServer({ address: `127.0.0.1:${port}`, hardFail: true });
  await expect(server.start()).rejects.toMatchObject({
    code: 'BIND_FAILED',
    message: `cannot serve health on 127.0.0.1:${port}: another process already listens there`,
    hint: expect.stringContaining('--healthz-bind-address'),
  });
});

test('an empty address serves nothing, and closing twice is fine', async () => {
  const { server } = healthServer({ address: '' });
  await server.start();
  expect(server.port).toBe(0);
  await server.close();
  await server.close();
});

test('after close the port is free', async () => {
  const first = healthServer();
  await first.server.start();
  const { port } = first.server;
  await first.server.close();
  const second = healthServer({ address: `127.0.0.1:${port}`, hardFail: true });
  await second.server.start();
  expect(second.server.port).toBe(port);
});

test.each([
  ['127.0.0.1:80', '127.0.0.1', 80],
  ['[::1]:80', '::1', 80],
  [':80', '', 80],
])('%s is split into host and port', (address, host, port) => {
  expect(splitHostPort(address)).toEqual({ host, port });
});

test.each(['127.0.0.1', '::1:80', '1.2.3.4:70000', ''])('"%s" cannot be split', (address) => {
  expect(() => splitHostPort(address)).toThrow('is not an address with a port');
});
