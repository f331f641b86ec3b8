// Do two worlds agree? An outcome is written as text, in which whatever may differ by chance is left out.
import { isNodeAddress } from './addresses.ts';
import { addressOf, type Probe, type Seen, UNTOUCHED } from './probe.ts';

const endpointOf = (answer: string): string => answer.split(' <- ')[0] ?? '';
const sourceOf = (answer: string): string => answer.split(' <- ')[1] ?? '';
/** The client itself is masqueraded always; who is masqueraded otherwise, is not when the endpoint is the node, as nothing leaves it. */
function isSpecial({ from }: Probe, answer: string): boolean {
  const address = addressOf(endpointOf(answer));
  return address === from || isNodeAddress(address);
}

/** 'refused', 'dropped', '10.244.1.2:8080 <- own, 10.244.2.2:8080 <- node'; a mixture is told as what it is. */
export function outcomeText({ answers, errors }: Seen): string {
  return [...[...answers].sort(), ...[...errors].sort()].join(', ') || 'nothing';
}

/**
 * Under affinity a client has one endpoint, and which one is chance; so is then whether it is one that has an effect on the
 * source. Sources are compared where neither world chose such a one.
 */
function affinityText({ answers, errors }: Seen, withSource: boolean): string {
  const endpoints = new Set([...answers].map(endpointOf));
  const isUntouched = [...endpoints].some((endpoint) => endpoint === UNTOUCHED);
  const what = endpoints.size === 0 ? [] : [isUntouched ? UNTOUCHED : `${endpoints.size} endpoint`];
  const sources = withSource ? [...new Set([...answers].map(sourceOf))].sort() : [];
  return [...what, ...sources, ...[...errors].sort()].join(', ');
}

export const isTied = ({ hasAffinity, spread }: Probe): boolean => hasAffinity && spread.length === 0;

/** A raw packet of the host that kube-proxy's rules stop gives EPERM, whether it is refused or dropped. */
function isStopped({ sender, protocol }: Probe, reference: Seen, turnout: Seen): boolean {
  const isEperm = reference.answers.size === 0 && reference.errors.size === 1 && reference.errors.has('EPERM');
  return sender === 'node' && protocol === 'SCTP' && isEperm && /^(refused|dropped)$/.test(outcomeText(turnout));
}

export function agree(probe: Probe, reference: Seen, turnout: Seen): boolean {
  if (isStopped(probe, reference, turnout)) return true;
  if (!isTied(probe)) return outcomeText(reference) === outcomeText(turnout);
  const withSource = ![...reference.answers, ...turnout.answers].some((answer) => isSpecial(probe, answer));
  return affinityText(reference, withSource) === affinityText(turnout, withSource);
}

/**
 * What counts after a second look, with more tries and more patience. Every answer and refusal ever seen; a silence only when the
 * second look was met by it, too: on a busy machine an answer may be late.
 */
export function settled(first: Seen, second: Seen): Seen {
  const kept = [...first.errors].filter((error) => error !== 'dropped');
  return { answers: new Set([...first.answers, ...second.answers]), errors: new Set([...kept, ...second.errors]) };
}
