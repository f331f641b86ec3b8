// Others on the packets' way: FORWARD chains, kube-proxy, programs of a CNI.
import type { BlindSpot } from '../blind-spot-kinds.ts';
import { type Check, listed, type Remark } from './check.ts';
import type { DoctorFacts, ForwardFact } from './facts.ts';

const OUR_JUMP = /-j TURNOUT-FORWARD\b/;
const DROPS = /-j (DROP|REJECT)\b/;
/** A rule without any condition drops all that comes to it. */
const UNCONDITIONAL = /^-A FORWARD -j (DROP|REJECT)\b/;
const INVALID = /--ctstate INVALID\b/;

function lookAtForward({ forward, pinFolder }: DoctorFacts): Remark[] {
  return pinFolder === '' ? [] : forward.flatMap(lookAtChain);
}

function lookAtChain({ command, policy, rules }: ForwardFact): Remark[] {
  const ours = rules.findIndex((rule) => OUR_JUMP.test(rule));
  const before = ours < 0 ? rules : rules.slice(0, ours);
  const everything = before.find((rule) => UNCONDITIONAL.test(rule));
  const again =
    'A running turnout puts its rule back, in front, with its next comparison; `turnout verify` has that now. Let what changes the firewall keep the rule.';
  if (everything !== undefined) {
    return [
      {
        severity: 'problem',
        sentence: `FORWARD drops Service traffic before turnout's rule can accept it (${command}).`,
        evidence: everything,
        advice: again,
      },
    ];
  }
  if (ours < 0 && policy === 'DROP') {
    return [
      {
        severity: 'problem',
        sentence: `FORWARD has policy DROP and lacks turnout's rule: masqueraded Service traffic and replies are dropped (${command}).`,
        evidence: `${command} -S FORWARD: -P FORWARD DROP`,
        advice: again,
      },
    ];
  }
  // What other than conntrack's INVALID is dropped first may be meant, or not.
  const some = before.filter((rule) => DROPS.test(rule) && !INVALID.test(rule));
  if (some.length === 0) return [];
  return [
    {
      severity: 'info',
      sentence: `Rules in FORWARD drop some packets before turnout's rule is asked (${command}).`,
      evidence: listed(some, 3),
      advice: 'Right where they are a policy; they see endpoints, not Services.',
    },
  ];
}

function lookAtNftables({ nftForwardDrops, pinFolder }: DoctorFacts): Remark[] {
  if (nftForwardDrops.length === 0 || pinFolder === '') return [];
  const sentence = "A chain of nftables hooks forward with policy drop: turnout's rule in iptables does not make it accept.";
  const advice =
    'Let it accept the masquerade mark and established connections: meta mark and 0x4000 == 0x4000 accept; ct state established,related accept';
  return [{ severity: 'warning', sentence, evidence: listed(nftForwardDrops), advice }];
}

function lookAtXdp({ xdp }: DoctorFacts): Remark[] {
  if (xdp.size === 0) return [];
  const evidence = listed([...xdp].map(([device, mode]) => `${device} (${mode})`));
  const sentence = 'XDP programs run before ours: what they redirect or drop never comes to Services.';
  return [
    {
      severity: 'warning',
      sentence,
      evidence,
      advice: "Look what they do (`bpftool net`); a load balancer's or a CNI's may take node ports.",
    },
  ];
}

/** A blind spot of one kind with its weight. */
function lookAtSpots(kinds: Readonly<Partial<Record<BlindSpot['kind'], Remark['severity']>>>): Check['look'] {
  return ({ blindSpots }) =>
    blindSpots.flatMap(({ kind, found, count, consequence, advice }): Remark[] => {
      const severity = kinds[kind];
      const more = count > found.length ? `; ${count} in all` : '';
      return severity ? [{ severity, sentence: consequence, evidence: `${found.join('; ')}${more}`, advice }] : [];
    });
}

/** What answers at the health port while turnout does not run is somebody else. */
function lookAtOtherProxy({ process, healthz }: DoctorFacts): Remark[] {
  if (process || !healthz || healthz.status === 0) return [];
  const sentence = "Somebody else answers at turnout's health port: kube-proxy, as a rule.";
  return [
    {
      severity: 'warning',
      sentence,
      evidence: `${healthz.url}: ${healthz.status}`,
      advice: 'Stop kube-proxy on this node before turnout is started.',
    },
  ];
}

const WAY = 'CNI or firewall in the way';

export const FIREWALL_CHECKS: readonly Check[] = [
  { name: 'forward-chain', symptom: WAY, fine: 'FORWARD lets Service traffic pass.', look: lookAtForward },
  { name: 'nftables-forward', symptom: WAY, fine: 'No chain of nftables forbids forwarding.', look: lookAtNftables },
  { name: 'other-proxy', symptom: WAY, fine: 'Nobody else serves the health port.', look: lookAtOtherProxy },
  {
    name: 'kube-proxy-rules',
    symptom: WAY,
    fine: 'There are no rules of kube-proxy.',
    look: lookAtSpots({ kube_proxy: 'problem' }),
  },
  { name: 'xdp', symptom: WAY, fine: 'No XDP program runs before ours.', look: lookAtXdp },
  {
    ...{
      name: 'foreign-programs',
      symptom: WAY,
      fine: 'No other program is on hooked devices, and no device of pods bypasses them.',
    },
    look: lookAtSpots({ foreign_programs: 'warning', child_devices: 'warning', vrf: 'warning' }),
  },
  {
    ...{ name: 'firewall-rules', symptom: WAY, fine: 'No rule asks for what turnout has translated by then.' },
    look: lookAtSpots({
      original_destination: 'warning',
      aws_connmark: 'warning',
      invalid_drop: 'warning',
      ipsec_policy: 'info',
      not_looked_at: 'warning',
    }),
  },
  {
    ...{ name: 'input-rules', symptom: 'Node port not reachable from outside', fine: 'No rule in INPUT is about node ports.' },
    look: lookAtSpots({ node_ports_in_input: 'warning' }),
  },
];
