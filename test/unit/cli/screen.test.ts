// A terminal is drawn on, follows its window, and is given back.
import { EventEmitter } from 'node:events';
import { beforeEach, expect, test } from 'vitest';
import { Screen } from '../../../src/cli/screen.ts';

class Output extends EventEmitter {
  columns = 20;
  rows = 4;
  written = '';
  write(text: string): boolean {
    this.written += text;
    return true;
  }
  take(): string {
    const text = this.written;
    this.written = '';
    return text;
  }
}
class Input extends EventEmitter {
  isTTY = true;
  isRaw = false;
  isPaused = true;
  setRawMode(isRaw: boolean): void {
    this.isRaw = isRaw;
  }
  resume(): void {
    this.isPaused = false;
  }
  pause(): void {
    this.isPaused = true;
  }
}

const ESC = '\u001b';
let output: Output;
let input: Input;
let quits: number;
let screen: Screen;
beforeEach(() => {
  output = new Output();
  input = new Input();
  quits = 0;
  screen = new Screen(output, input, () => quits++);
});

test('the other screen is used, without a cursor, and all of it is given back once', () => {
  screen.open();
  expect(output.take()).toBe(`${ESC}[?1049h${ESC}[?25l`);
  expect(input).toMatchObject({ isRaw: true, isPaused: false });
  screen.close();
  screen.close();
  expect(output.take()).toBe(`${ESC}[?25h${ESC}[?1049l`);
  expect(input).toMatchObject({ isRaw: false, isPaused: true });
  expect(output.listenerCount('resize') + input.listenerCount('data')).toBe(0);
});

test('lines are drawn over the former ones, cut to the window', () => {
  screen.open();
  output.take();
  screen.show(() => ['one', 'x'.repeat(30), 'three', 'four', 'five']);
  expect(output.take()).toBe(`${ESC}[Hone${ESC}[K\r\n${'x'.repeat(19)}…${ESC}[K\r\nthree${ESC}[K\r\nfour${ESC}[K${ESC}[J`);
});

test('a window that changes is drawn again, with as many lines as fit now', () => {
  screen.open();
  screen.show((rows) => [`${rows} rows`]);
  output.take();
  output.rows = 9;
  output.emit('resize');
  expect(output.take()).toContain('9 rows');
  screen.close();
  output.take();
  output.emit('resize');
  expect(output.take()).toBe('');
});

test.each([['q'], ['Q'], ['\u0003'], ['\u0004'], ['xq']])('%j ends it', (keys) => {
  screen.open();
  input.emit('data', Buffer.from('x'));
  expect(quits).toBe(0);
  input.emit('data', Buffer.from(keys));
  expect(quits).toBe(1);
});

test('without a keyboard nothing is asked of it', () => {
  input.isTTY = false;
  screen.open();
  screen.close();
  expect(input).toMatchObject({ isRaw: false, isPaused: true });
});
