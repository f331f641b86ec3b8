// What a running turnout answers to its own commands, over the socket of its instance.
import { answerEndpoints } from './answer-endpoints.ts';
import type { Backend } from './backend/backend.ts';
import { TurnoutError } from './errors.ts';
import type { InstanceRequest } from './instance.ts';
import type { ClusterState } from './state/cluster-state.ts';

/** 'verification': what comparing has shown so far; 'verify': compare everything now; 'endpoints': all of a Service port, and why. */
export async function answerRequest(request: InstanceRequest, backend: Backend, state: ClusterState): Promise<unknown> {
  const { ask } = request;
  if (ask === 'verification') return backend.verification?.() ?? null;
  if (ask === 'verify' && backend.verify) return await backend.verify();
  if (ask === 'endpoints') return answerEndpoints(request, state);
  throw new TurnoutError('EUNKNOWNREQUEST', `this turnout (mode ${backend.mode}) cannot answer "${ask}"`);
}
