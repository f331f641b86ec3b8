// Which Service, which endpoint, whose address; and rule 9: what is refused, what is left alone.
import { type Part, part } from '../part.ts';

const AFFINITY = 'affinity.test.ts';
const POLICY = 'policy.test.ts';

export const SERVICES: readonly Part[] = [
  part(
    'a port that a ClusterIP does not have is rejected',
    {
      file: 'ingress_new.h',
      from: '== KNOWN_ANSWERED ? TCX_NEXT : reject(skb, p, 0);',
      to: '== KNOWN_ANSWERED ? TCX_NEXT : TCX_NEXT;',
    },
    'cluster-addresses.test.ts',
    /(a port that no Service has|the target port|the node port) is rejected at a ClusterIP/,
  ),
  part(
    'an unallocated address of a ServiceCIDR is dropped',
    { file: 'ingress_new.h', from: 'return drop(skb, p, LB_DROP_UNALLOCATED, 0);', to: 'return TCX_NEXT;' },
    'cluster-addresses.test.ts',
    /an unallocated address of a ServiceCIDR is dropped/,
  ),
  part(
    'addresses outside of every ServiceCIDR pass',
    {
      file: 'ingress_new.h',
      from: '!packet_opens(p) || !address_is_in_service_cidr(&p->key.destination) ||',
      to: '!packet_opens(p) ||',
    },
    'untouched.test.ts',
    /a packet to an address of nobody passes unchanged/,
  ),
  part(
    'an address of the node is the node, also where it is a ClusterIP',
    { file: 'ingress_new.h', from: 'if (address_flags & LB_ADDRESS_NODE)', to: 'if (0)' },
    'cluster-addresses.test.ts',
    /an address that is a ClusterIP and bound on the node is the node/,
  ),
  part(
    'node ports are served on the addresses that serve them',
    { file: 'lookup.h', from: 'if (!(*flags & LB_ADDRESS_NODE_PORT))', to: 'if (0)' },
    'untouched.test.ts',
    /to the node port at an address of the node that does not serve node ports passes unchanged/,
  ),
  part(
    'a Service without endpoints answers, a policy without local ones is silent',
    {
      file: 'lookup.h',
      from: 'return choice->flags & LB_FRONTEND_HAS_ENDPOINTS ? LB_NO_LOCAL : LB_REJECT;',
      to: 'return LB_REJECT;',
    },
    'refusals.test.ts',
    /under a Local policy without local endpoints the packet is dropped in silence/,
  ),
  part(
    'refusals have a rate limit',
    {
      file: 'reject.h',
      from: 'if (cfg_rejects_per_second && !rate_allows(LB_REJECT_SENT, 1000000000ULL, cfg_rejects_per_second)) {',
      to: 'if (0) {',
    },
    'refusals.test.ts',
    /refusals over the limit are dropped by that name, unchanged/,
  ),
  part(
    'a refusal goes back to the station that sent the packet',
    { file: 'reject.h', from: 'if (error || reject_turn_around(skb, p->l3_offset)) {', to: 'if (error) {' },
    'refusals.test.ts',
    /the answer goes to the station that sent the packet/,
  ),
  part(
    'a refusal quotes no payload',
    { file: 'reject.h', from: 'if (bpf_skb_change_tail(skb, p->l3_offset + inner, 0))\n\t\treturn -1;', to: '' },
    'refusals.test.ts',
    /the answer goes to the station that sent the packet, and quotes no payload/,
  ),
  part(
    'a list whose rows are of another Service is not read',
    { file: 'lookup.h', from: 'if (choice->backend.service_id != choice->service_id)\n\t\t\tcontinue;', to: '' },
    'events.test.ts',
    /a list whose rows have become those of another Service is not read/,
  ),
  part(
    'source ranges shut out',
    {
      file: 'ingress_new.h',
      from: 'if (frontend->flags & LB_FRONTEND_SOURCE_RANGES && !source_is_allowed(frontend->service_id, &client))',
      to: 'if (0)',
    },
    'source-ranges.test.ts',
    /a source inside of a range is let in, one outside is dropped in silence/,
    /ranges of one Service say nothing about another/,
  ),
  part(
    'source ranges are those of their Service',
    { file: 'prefix.h', from: '.service_id = service_id };', to: '.service_id = 1 };' },
    'source-ranges.test.ts',
    /ranges of one Service say nothing about another/,
  ),
  part(
    'frontends without source ranges let everybody in',
    { file: 'ingress_new.h', from: 'if (frontend->flags & LB_FRONTEND_SOURCE_RANGES && !source', to: 'if (!source' },
    'source-ranges.test.ts',
    /other frontends of the Service let everybody in/,
  ),
  part(
    'a client of a Service with affinity stays with its endpoint',
    {
      file: 'lookup.h',
      from: 'affinity_recall(choice->service_id, client, affinity_seconds, candidates.list, &choice->backend))',
      to: '0)',
    },
    AFFINITY,
    /a client stays with one endpoint, and clients are spread over all of them/,
    /the choice holds for every frontend of the port/,
  ),
  part(
    'affinity has a timeout',
    {
      file: 'affinity.h',
      from: 'if (now_ns > row->last_used_ns && now_ns - row->last_used_ns >= seconds * NS_PER_SECOND)',
      to: 'if (0)',
    },
    AFFINITY,
    /the timeout runs from the last new connection, not from the first/,
  ),
  part(
    'a new connection makes the timeout of affinity start anew',
    { file: 'affinity.h', from: '\trow->last_used_ns = now_ns;', to: '' },
    AFFINITY,
    /the timeout runs from the last new connection, not from the first/,
  ),
  part(
    'affinity ends with the endpoint, also when that comes back',
    { file: 'affinity.h', from: 'state->generation != row->backend.generation || !(state->lists & list)', to: '0' },
    AFFINITY,
    /an endpoint that leaves is replaced by one, also when it comes back/,
  ),
  part(
    'affinity goes to endpoints that the policy allows',
    { file: 'affinity.h', from: ' || !(state->lists & list))', to: ')' },
    AFFINITY,
    /an endpoint that the traffic policy of this frontend does not allow is not used/,
    /one that lingers is not chosen again/,
  ),
  part(
    'affinity is of one Service',
    { file: 'affinity.h', from: 'key.service_id = backend->service_id;', to: 'key.service_id = 0;' },
    AFFINITY,
    /a client that asks two Services in turn stays with one endpoint of each/,
  ),
  part(
    'affinity is remembered only where a Service has it',
    { file: 'lookup.h', from: 'if (affinity_seconds)\n\t\t\taffinity_note', to: 'affinity_note' },
    AFFINITY,
    /it ends when affinity is switched off, and none is kept of a Service that has none/,
  ),
  part(
    'external frontends under policy Cluster are masqueraded',
    {
      file: 'lookup.h',
      from: '} else if (!local) {\n\t\tcandidates->masquerade = true;',
      to: '} else if (!local) {\n\t\tcandidates->masquerade = false;',
    },
    POLICY,
    /with no detector, a packet of a (client|pod) under policy Cluster/,
  ),
  part(
    'pods are short-circuited past policy Local of external frontends',
    { file: 'lookup.h', from: 'local = origin == LB_ORIGIN_EXTERNAL;', to: '' },
    POLICY,
    /detector by CIDR.*pod.*Local/,
    /detector by device, pod device.*client.*Local/,
  ),
  part(
    'a ClusterIP is masqueraded for who is known to be no pod',
    {
      file: 'lookup.h',
      from: 'cfg_masquerade_all || (detector != LB_DETECTOR_NONE && origin != LB_ORIGIN_POD)',
      to: 'cfg_masquerade_all',
    },
    POLICY,
    /detector by CIDR.*client.*Cluster/,
    /detector by device, other device.*pod.*Cluster/,
  ),
  part(
    'everything to ClusterIPs is masqueraded when asked for',
    { file: 'lookup.h', from: 'cfg_masquerade_all || (detector', to: '(detector' },
    POLICY,
    /no detector, masquerade all/,
  ),
];
