import { expect, test } from 'vitest';
import { exitCodeOf, formatError, TurnoutError } from '../../src/errors.ts';

test('an expected error is a message and what to do', () => {
  const error = new TurnoutError('NOT_ROOT', 'this needs root', { hint: 'run it with sudo', exitCode: 2 });
  expect(formatError(error)).toBe('turnout: this needs root\n  -> run it with sudo');
  expect(exitCodeOf(error)).toBe(2);
  expect(formatError(new TurnoutError('X', 'no more'))).toBe('turnout: no more');
});

test('an unexpected error shows its code and its stack', () => {
  const error = Object.assign(new Error('boom'), { code: 'EPERM' });
  expect(formatError(error)).toMatch(/^turnout: boom \(EPERM\)\n {2}-> This is a defect[^\n]*\n.*errors\.test\.ts/s);
  expect(exitCodeOf(error)).toBe(1);
  expect(formatError('text')).toBe('turnout: text');
});
