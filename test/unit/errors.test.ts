import { expect, test } from 'vitest';
import { exitCodeOf, formatError, TurnoutError } from '../../src/errors.ts';

test('an expected error is a message and what to do', () => {
  const error = new TurnoutError('NOT_ROOT', 'this needs root', { hint: 'run it with sudo', exitCode: 2 });
  expect(formatError(error)).toBe('turnout: this needs root\n  -> run it with sudo');
  expect(exitCodeOf(error)).toBe(2);
  expect(formatError(new TurnoutError('X', 'no more'))).toBe('turnout: no more');
});

test('what the kernel refused is told with its detail and without a stack', () => {
  const refused = Object.assign(new Error('object.load: not permitted (EPERM)'), {
    code: 'EPERM',
    operation: 'object.load',
    detail: 'line 1\nline 2',
  });
  expect(formatError(refused)).toBe('turnout: object.load: not permitted (EPERM)\n    line 1\n    line 2\n  -> run it as root');
  const missing = Object.assign(new Error('ENOENT: no such file'), { code: 'ENOENT', syscall: 'open' });
  expect(formatError(missing)).toBe('turnout: ENOENT: no such file');
});

test('a defect shows its stack', () => {
  expect(formatError(new TypeError('boom'))).toMatch(/^turnout: boom\n {2}-> this is a defect[^\n]*\n.*errors\.test\.ts/s);
  expect(exitCodeOf(new TypeError('boom'))).toBe(1);
  expect(formatError('text')).toBe('turnout: text');
});
