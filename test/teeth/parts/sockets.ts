// Sockets: what connect() and sendmsg() are given, what is declined, what a socket sees of it, and what is counted.
import { type Part, part } from '../part.ts';

const SEEN = 'netns/socket-path.test.ts';
const COUNTED = 'netns/socket-counts.test.ts';
const EXCLUDED = 'netns/socket-exclude.test.ts';
const EXPLAINED = 'netns/explain.test.ts';

export const SOCKETS: readonly Part[] = [
  part(
    'a connected socket names the address that it asked for',
    {
      file: 'hook_socket.h',
      from: 'pair = bpf_sk_storage_get(&sock_peer, ctx->sk, NULL, 0);\n\tif (pair && pair->backend_port == port',
      to: 'pair = bpf_sk_storage_get(&sock_peer, ctx->sk, NULL, 0);\n\tif (0 && pair && pair->backend_port == port',
    },
    SEEN,
    /getpeername\(\) and recvfrom\(\) of .* say the address that was asked for/,
  ),
  part(
    'a socket that never connects hears from the address that it asked',
    {
      file: 'hook_socket.h',
      from: 'pair = &pairs->pair[i];\n\t\tif (pair->backend_port == port',
      to: 'pair = &pairs->pair[i];\n\t\tif (0 && pair->backend_port == port',
    },
    SEEN,
    /getpeername\(\) and recvfrom\(\) of .* say the address that was asked for/,
  ),
  part(
    'an IPv4-mapped address is IPv4',
    {
      file: 'socket_call.h',
      from: 'call->destination.word[2] = ctx->user_ip6[2];',
      to: 'call->destination.word[2] = ctx->user_ip6[2] == bpf_htonl(0xffff) ? 0 : ctx->user_ip6[2];',
    },
    SEEN,
    /an IPv6 socket reaches an IPv4 ClusterIP by its mapped address/,
  ),
  part(
    'a pod that may be chosen for its own connection is left to the packet path',
    { file: 'socket_decide.h', from: 'if (!call->is_host && socket_may_be_hairpin(ctx, call, choice)) {', to: 'if (0) {' },
    'netns/paths.test.ts',
    /pods on ptp, routes between nodes, socket path all > IPv[46] TCP > a pod that is chosen for its own connection/,
  ),
  part(
    'processes of an excluded cgroup are left to the packet path',
    { file: 'socket_decide.h', from: 'if (socket_is_excluded()) {', to: 'if (0) {' },
    EXCLUDED,
    /reach .* Services by the packet path, those beside it by the socket path/,
    /count as such also in a child that was made later/,
  ),
  part(
    'a process is excluded by the cgroups above its own',
    {
      file: 'socket_decide.h',
      from: 'if (!id)\n\t\t\treturn false;',
      to: 'if (!id || id != bpf_get_current_cgroup_id())\n\t\t\tcontinue;',
    },
    EXCLUDED,
    /count as such also in a child that was made later/,
  ),
  part(
    'a socket that is closed is no longer open',
    {
      file: 'hook_socket.h',
      from: 'stats_socket(pair->backend_id, pair->backend_generation, -1);\n\tif (sk->protocol',
      to: ';\n\tif (sk->protocol',
    },
    COUNTED,
    /are open until their sockets are closed: IPv4/, // each waits in vain
  ),
  part(
    'a socket that is connected is open',
    { file: 'socket_peers.h', from: 'stats_socket(pair->backend_id, pair->backend_generation, 1);', to: ';' },
    COUNTED,
    /are open until their sockets are closed/,
  ),
  part(
    'connections of sockets count for Service and endpoint',
    { file: 'hook_socket.h', from: 'stats_connection(choice->service_id, choice->backend.backend_id);', to: ';' },
    COUNTED,
    /are open until their sockets are closed/,
    /a socket that never connects counts with its first datagram/,
  ),
  part(
    'a datagram to an endpoint that the socket sent to before is no new connection',
    { file: 'socket_peers.h', from: 'socket_pair(&pairs->pair[i], call, choice);\n\t\treturn false;', to: 'return true;' },
    COUNTED,
    /a socket that sends many datagrams without connecting is one connection/,
  ),
  part(
    "a UDP socket of the host is known, so that it can be ended with its endpoint's leaving",
    {
      file: 'socket_peers.h',
      from: 'if (call->protocol == IPPROTO_UDP && call->is_host)\n\t\tbpf_map_update',
      to: 'if (0)\n\t\tbpf_map_update',
    },
    'netns/connected-udp.test.ts',
    /that are connected to .* are ended when their backend leaves, and reconnect to another/,
  ),
  part(
    'explain asks the function that connect() decides with',
    {
      file: 'socket_decide.h',
      from: 'if (call->is_host ? lb_addr_is_loopback(&call->bound) : !socket_pod_is_plain(call, frontend)) {',
      to: 'if (0) {',
    },
    EXPLAINED,
    /policy Local without a local endpoint: dropped for a client outside, translated for a pod/,
  ),
];
