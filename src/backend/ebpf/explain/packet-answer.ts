// What a run through the private datapath says about packets of this kind, in words.
import type { ExplainedService, PacketAnswer } from '../../../cli/explain-report.ts';
import { REASONS, reasonOf } from '../../../cli/reasons.ts';
import type { Client } from './client.ts';
import { hasDetector, type Match } from './matched-rule.ts';
import { endpointOf, type PacketRun, sourceOf } from './packet-path.ts';
import type { Ran } from './private-datapath.ts';
import { numberOf } from './running-programs.ts';

interface Context {
  readonly client: Client;
  readonly service: ExplainedService | null;
  readonly match: Match;
  readonly variables: ReadonlyMap<string, Uint8Array>;
}

const EMPTY = { backend: '', enters: '', leaves: '', seenSource: '', isMasqueraded: false, reason: '', advice: '' } as const;

export const unseenAnswer = (text: string): PacketAnswer => ({ ...EMPTY, outcome: 'unseen', text });

/** The name of the refusal among what was counted. */
const refusalOf = ({ counted }: Ran): string => [...counted].find((name) => name in REASONS) ?? '';

export function packetAnswer(run: PacketRun, context: Context): PacketAnswer {
  const enters = context.client.entry?.name ?? '';
  const { ingress, egress } = run;
  for (const ran of [ingress, ...(egress ? [egress] : [])]) {
    if (ran.verdict === 'next') continue;
    const reason = refusalOf(ran);
    const leaves = ran === egress ? run.leaves : '';
    if (ran.verdict === 'redirect') return { ...EMPTY, outcome: 'rejected', enters, leaves, reason, ...rejection(context) };
    const { meaning, advice } = reasonOf(reason);
    return { ...EMPTY, outcome: 'dropped', enters, leaves, reason, text: meaning, advice };
  }
  if (run.between === run.sent)
    return { ...EMPTY, outcome: 'passed', enters, text: 'Untouched: it goes on to other programs and the stack.' };
  const last = run.left ?? run.between;
  const isMasqueraded = run.left !== null && sourceOf(run.left) !== sourceOf(run.between);
  const [backend, seenSource] = [endpointOf(run.between), sourceOf(last)];
  const where = run.leaves === 'this node' ? 'delivered on this node' : run.leaves === '' ? '' : `leaves by ${run.leaves}`;
  const text = [
    `Translated to ${backend}${where && `, ${where}`}.`,
    sourceText(run, context, isMasqueraded, seenSource),
    run.routeNote,
  ];
  return {
    ...EMPTY,
    outcome: 'translated',
    backend,
    enters,
    leaves: run.leaves,
    seenSource,
    isMasqueraded,
    text: text.filter(Boolean).join(' '),
  };
}

/** One counter stands for both. */
function rejection({ service }: Context): { readonly text: string; readonly advice: string } {
  if (!service) {
    const text = 'The ClusterIP has no such port: the client is told by ICMP port unreachable.';
    return {
      text,
      advice: '`turnout services` shows the ports that the Service has; look at spec.ports, their numbers and protocols.',
    };
  }
  const text = 'The Service has no endpoint: the client is told by ICMP port unreachable.';
  const advice = `Look whether pods are ready and the selector matches them: kubectl get endpointslices -n ${service.namespace} -l kubernetes.io/service-name=${service.name}`;
  return { text, advice };
}

function sourceText(run: PacketRun, context: Context, isMasqueraded: boolean, seenSource: string): string {
  if (isMasqueraded) return `Masqueraded as ${seenSource}: ${whyMasqueraded(run, context)}.`;
  if (!run.isMarked) return `The endpoint sees ${seenSource}: not masqueraded.`;
  if (run.leaves === 'this node')
    return `The endpoint, on this node, sees ${seenSource}: there is no way out at which it could be masqueraded.`;
  return 'It is to be masqueraded where it leaves.';
}

/** As frontend_candidates() in lookup.h and ingress_choose() in ingress_new.h decide. */
function whyMasqueraded({ between, sent }: PacketRun, { client, service, variables }: Context): string {
  if (between.destination === sent.source) return 'it goes back to the pod that sent it, which would answer itself';
  if (client.hostEnd) return "the node's own packets enter by an alias, which means nothing elsewhere";
  if (service && service.frontend !== 'ClusterIP') {
    return service.policy === 'Cluster'
      ? 'so is everything to an external frontend under the policy Cluster'
      : 'the node itself sent it to an external frontend';
  }
  if (numberOf(variables, 'cfg_masquerade_all') !== 0) return 'everything is (--masquerade-all)';
  if (hasDetector(variables, sent.source)) return 'to a ClusterIP, and the local detector does not take its sender for a pod';
  return 'so it was decided when its flow began';
}
