// The lock belongs to a network namespace, and another turnout may hold this one's: each test is a process in a new namespace.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';

const source = join(import.meta.dirname, '../../src/instance.ts');
const ownNetwork = process.getuid?.() === 0 ? ['--net'] : ['--net', '--map-root-user'];

/** What the body of an async function with instance.ts in scope returns, run alone in its network namespace. */
async function alone(body: string): Promise<unknown> {
  const script = `
    import { execFileSync, spawn } from 'node:child_process';
    import { once } from 'node:events';
    import { createServer } from 'node:net';
    const { askInstance, holdNode, runningInstance } = await import(${JSON.stringify(source)});
    const facts = { pid: process.pid, startedAt: '2026-01-02T03:04:05Z', version: '0.1.0', proxyMode: 'ebpf', pinFolder: '/p' };
    const refusal = (promise) => promise.then(() => 'held', ({ code, message, hint }) => ({ code, message, hint }));
    const holder = "const { holdNode } = await import(" + ${JSON.stringify(JSON.stringify(source))} + ");"
      + "await holdNode(() => ({ pid: process.pid, startedAt: 'then' })); console.log('held'); setInterval(() => {}, 1000);";
    const evaluate = ['--input-type=module', '--eval'];
    console.log(JSON.stringify(await (async () => { ${body} })() ?? null));
    process.exit(0);`;
  const command = [...ownNetwork, process.execPath, '--input-type=module', '--eval', script];
  const { stdout } = await promisify(execFile)('unshare', command, { timeout: 20_000 });
  return JSON.parse(stdout);
}

describe('the node', () => {
  test('is held by one: the second one is told pid and start of the first, and what to do', async () => {
    const result = await alone('await holdNode(() => facts); return [process.pid, await refusal(holdNode(() => facts))];');
    const [pid, refused] = result as [number, { hint: string }];
    expect(refused).toMatchObject({
      code: 'EINSTANCE',
      message: `turnout (pid ${pid}, since 2026-01-02T03:04:05Z) already serves this node`,
    });
    expect(refused.hint).toContain('stop the other one first');
  });

  test('is free again after close', async () => {
    expect(await alone('(await holdNode(() => facts)).close(); return refusal(holdNode(() => facts));')).toBe('held');
  });

  test('is held by another process until that ends, also by SIGKILL', async () => {
    const result = await alone(`
      const child = spawn(process.execPath, [...evaluate, holder], { stdio: ['ignore', 'pipe', 'inherit'] });
      await once(child.stdout, 'data');
      const before = await refusal(holdNode(() => facts));
      child.kill('SIGKILL');
      await once(child, 'exit');
      return [child.pid, before.message, await refusal(holdNode(() => facts))];`);
    const [pid, ...told] = result as [number, string, string];
    expect(told).toEqual([`turnout (pid ${pid}, since then) already serves this node`, 'held']);
  });

  test('is a network namespace: in another one, another instance may run', async () => {
    const result = await alone(`
      await holdNode(() => facts);
      const other = "const { runningInstance } = await import(" + ${JSON.stringify(JSON.stringify(source))} + ");"
        + "console.log(await runningInstance());";
      return execFileSync('unshare', ['--net', process.execPath, ...evaluate, other]).toString().trim();`);
    expect(result).toBe('null');
  });

  test('is not kept busy by the lock: a process with nothing else to do ends', async () => {
    const result = await alone(`
      const script = holder.replace(/setInterval.*/, '');
      return execFileSync(process.execPath, [...evaluate, script], { timeout: 10_000 }).toString().trim();`);
    expect(result).toBe('held');
  });
});

describe('who asks', () => {
  test('is told the facts as they are now', async () => {
    const result = await alone(`
      let mode = 'ebpf';
      await holdNode(() => ({ ...facts, pid: 7, proxyMode: mode }));
      mode = 'fake';
      return runningInstance();`);
    expect(result).toEqual({
      pid: 7,
      startedAt: '2026-01-02T03:04:05Z',
      version: '0.1.0',
      proxyMode: 'fake',
      pinFolder: '/p',
    });
  });

  test('for more than the facts gets the answer, or the error with what to do', async () => {
    const result = await alone(`
      await holdNode(() => facts, async ({ ask, what }) => {
        if (ask !== 'twice') throw Object.assign(new Error('not known: ' + ask), { code: 'EUNKNOWN', hint: 'ask for twice' });
        return [what, what];
      });
      const long = 'x'.repeat(20_000);
      const twice = await askInstance({ ask: 'twice', what: long }, 5000);
      return [twice.map((one) => one.length), await refusal(askInstance({ ask: 'thrice' }, 5000)), (await runningInstance()).version];`);
    expect(result).toEqual([
      [20_000, 20_000],
      { code: 'EUNKNOWN', message: 'not known: thrice', hint: 'ask for twice' },
      '0.1.0',
    ]);
  });

  test('a process that knows no requests is told so; where none runs there is nothing', async () => {
    const result = await alone(`
      const before = await askInstance({ ask: 'twice' }, 5000);
      await holdNode(() => facts);
      return [before, (await refusal(askInstance({ ask: 'twice' }, 5000))).code];`);
    expect(result).toEqual([null, 'EUNKNOWNREQUEST']);
  });

  test('a process that is too busy to answer waits no longer than it said', async () => {
    const result = await alone(`
      await holdNode(() => facts, () => new Promise(() => {}));
      return (await refusal(askInstance({ ask: 'slow' }, 300))).code;`);
    expect(result).toBe('ENOANSWER');
  });

  test('is told that there is none', async () => {
    expect(await alone('return runningInstance();')).toBeNull();
  });

  test.each([
    ['says nothing', '() => {}'],
    ['says something else', "(socket) => socket.end('HTTP/1.1 400 Bad Request')"],
    ['hangs up', '(socket) => socket.destroy()'],
  ])('does not wait for long when who holds it %s, and is refused all the same', async (_what, answer) => {
    const result = await alone(`
      const server = createServer(${answer}).listen('\\0turnout');
      await once(server, 'listening');
      return [await runningInstance(), (await refusal(holdNode(() => facts))).message];`);
    expect(result).toEqual([null, 'another turnout already serves this node']);
  });

  test('lets go of who connects and says nothing, or never takes the answer, and not of who waits for a slow one', async () => {
    const result = await alone(`
      const { holdName } = await import(${JSON.stringify(source)});
      const { connect } = await import('node:net');
      const slow = () => new Promise((resolve) => setTimeout(() => resolve('late'), 600));
      await holdName('turnout', () => facts, () => new Error('taken'), slow, 200);
      const silent = connect({ path: '\\0turnout', allowHalfOpen: true });
      const asking = connect({ path: '\\0turnout', allowHalfOpen: true });
      asking.write('{"ask":"x"}\\n'); // and never ends
      silent.resume();
      let text = '';
      asking.on('data', (data) => (text += data));
      await Promise.all([once(silent, 'end'), once(asking, 'end')]);
      return [text.includes('late'), await askInstance({ ask: 'x' }, 5000)];`);
    expect(result).toEqual([true, 'late']);
  });
});
