// What a running turnout answers to its own commands, over the socket of its instance.
import type { Backend } from './backend/backend.ts';
import { TurnoutError } from './errors.ts';
import type { InstanceRequest } from './instance.ts';

/** 'verification': what comparing has shown so far; 'verify': compare everything now. */
export async function answerRequest({ ask }: InstanceRequest, backend: Backend): Promise<unknown> {
  if (ask === 'verification') return backend.reading?.().verification ?? null;
  if (ask === 'verify' && backend.verify) return await backend.verify();
  throw new TurnoutError('EUNKNOWNREQUEST', `this turnout (mode ${backend.mode}) cannot answer "${ask}"`);
}
