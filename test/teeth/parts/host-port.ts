// Rule 8: on the host's port addresses of the node have aliases, and none leaves it.
import { type Part, part } from '../part.ts';

const FILE = 'host-port.test.ts';

export const HOST_PORT: readonly Part[] = [
  part(
    "what leaves the node's end has the alias of its source",
    {
      file: 'hook_host.h',
      from: 'if (!host_alias(direction == LB_IN ? &p.key.destination : &p.key.source, &rewrite.address))',
      to: 'rewrite.address = direction == LB_IN ? p.key.destination : p.key.source;\n\tif (0)',
    },
    FILE,
    /gives what leaves the alias of its source/,
    /gives what arrives for an alias its address/,
    /(hostIngress|hostEgress) drops and counts what has no alias/,
  ),
  part(
    'the alias inside an error becomes the address, and back',
    { file: 'hook_host.h', from: 'error = host_rewrite_inner(skb, &p);', to: 'error = 0;' },
    FILE,
    /turns the packet inside an error that arrives/,
    /turns the packet inside an error that the node sends/,
  ),
  part(
    'no alias leaves the node',
    { file: 'tc_packet.h', from: 'return drop(skb, p, LB_DROP_HOST_PORT, 0);', to: 'return TCX_NEXT;' },
    FILE,
    /(ingress|egress) drops and counts what is no Service and no flow/,
    /pings are dropped, errors about nothing too/,
  ),
  part(
    "a flow of the host's port leaves by the address behind the alias",
    { file: 'snat.h', from: 'if (s->flags & LB_FLOW_OWN_ADDRESS && !host_alias(&s->client, source))', to: 'if (0)' },
    FILE,
    /without a detector the node's own address leaves, with a port of ours/,
  ),
  part(
    "a flow of the host's port is always given another source",
    { file: 'ingress_new.h', from: 'if (dev->flags & LB_DEVICE_HOST && !choice->masquerade) {', to: 'if (0) {' },
    FILE,
    /without a detector the node's own address leaves, with a port of ours/,
  ),
  part(
    'source ranges mean the address behind the alias',
    { file: 'ingress_new.h', from: 'host_alias(&p->key.source, client);', to: ';' },
    FILE,
    /source ranges mean the address behind the alias/,
  ),
  part(
    'who comes by the host port is the node',
    {
      file: 'ingress_new.h',
      from: 'dev->flags & LB_DEVICE_HOST ? LB_ORIGIN_NODE : LB_ORIGIN_EXTERNAL;',
      to: 'LB_ORIGIN_EXTERNAL;',
    },
    FILE,
    /policy Local of an external frontend does not bind the node/,
  ),
];
