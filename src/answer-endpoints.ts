// What the running process tells `turnout explain`: endpoints that are in no table, because nothing may be sent to them.
import { askInstance, type InstanceRequest } from './instance.ts';
import type { ClusterState } from './state/cluster-state.ts';
import type { EndpointFact } from './state/endpoint-facts.ts';
import type { PortKey } from './state/endpoints.ts';

const ANSWER_MS = 2000;

export interface EndpointsQuestion extends PortKey {
  readonly service: string; // namespace/name
}

/** For the process. */
export function answerEndpoints(request: InstanceRequest, state: ClusterState): EndpointFact[] {
  const { service, ipFamily, portName, protocol } = request as unknown as EndpointsQuestion;
  return state.endpointFacts(service, { ipFamily, portName, protocol });
}

/** For the command. Null where no process runs, or one that does not know the question: then only the tables tell. */
export async function askEndpoints(question: EndpointsQuestion): Promise<readonly EndpointFact[] | null> {
  return await askInstance<EndpointFact[]>({ ask: 'endpoints', ...question }, ANSWER_MS).catch(() => null);
}
