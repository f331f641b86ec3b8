// How long each state of a flow may be silent.
import { type Part, part } from '../part.ts';

const FILE = 'timeouts.test.ts';
const CLOSED = /of TCP that has seen .* ends by tcpClosedNs/;

export const TIMEOUTS: readonly Part[] = [
  part(
    'UDP with a reply lives longer than without',
    {
      file: 'flow.h',
      from: 'LB_FLOW_REPLIED ? cfg_udp_stream_ns : cfg_udp_unreplied_ns',
      to: 'LB_FLOW_REPLIED ? cfg_udp_unreplied_ns : cfg_udp_unreplied_ns',
    },
    FILE,
    /of UDP that has seen .* ends by udpStreamNs/,
  ),
  part(
    'UDP without a reply does not live as long as with one',
    {
      file: 'flow.h',
      from: 'LB_FLOW_REPLIED ? cfg_udp_stream_ns : cfg_udp_unreplied_ns',
      to: 'LB_FLOW_REPLIED ? cfg_udp_stream_ns : cfg_udp_stream_ns',
    },
    FILE,
    /of UDP that has seen .* ends by udpUnrepliedNs/,
  ),
  part(
    'a TCP connection that is closed goes soon',
    { file: 'flow.h', from: 'return cfg_tcp_closed_ns;', to: 'return cfg_tcp_established_ns;' },
    FILE,
    CLOSED,
  ),
  part(
    'a handshake that is not done goes soon',
    { file: 'flow.h', from: 'return cfg_tcp_syn_ns;', to: 'return cfg_tcp_established_ns;' },
    FILE,
    /of TCP that has seen .* ends by tcpSynNs/,
  ),
  part(
    'a TCP connection that one side has closed goes sooner than an open one',
    {
      file: 'flow.h',
      from: '? cfg_tcp_close_wait_ns : cfg_tcp_established_ns',
      to: '? cfg_tcp_established_ns : cfg_tcp_established_ns',
    },
    FILE,
    /of TCP that has seen .* ends by tcpCloseWaitNs/,
  ),
  part(
    'an open TCP connection lives for a day',
    {
      file: 'flow.h',
      from: '? cfg_tcp_close_wait_ns : cfg_tcp_established_ns',
      to: '? cfg_tcp_close_wait_ns : cfg_tcp_close_wait_ns',
    },
    FILE,
    /of TCP that has seen .* ends by tcpEstablishedNs/,
  ),
  part(
    'a client that nobody has answered has no connection, whatever it sends',
    {
      file: 'flow.h',
      from: 'if (!reply && flags & LB_FLOW_REPLIED && p->tcp_flags & TCP_FLAG_ACK_BIT)',
      to: 'if (!reply && p->tcp_flags & TCP_FLAG_ACK_BIT)',
    },
    FILE,
    /of TCP that has seen ">S >A" ends by tcpSynNs/,
  ),
  part(
    'RST closes a TCP connection',
    { file: 'flow.h', from: 'if (p->tcp_flags & TCP_FLAG_RST_BIT) {', to: 'if (0) {' },
    FILE,
    /of TCP that has seen ">S (<SA >A >R|<RA)" ends by tcpClosedNs/,
  ),
  part(
    'FIN of both sides closes a TCP connection, of one does not',
    { file: 'flow.h', from: 'set |= reply ? LB_FLOW_BACKEND_FIN : LB_FLOW_CLIENT_FIN;', to: 'set |= LB_FLOW_CLIENT_FIN;' },
    FILE,
    /of TCP that has seen ">S <SA >A (>FA <FA|<FA >FA <A)" ends by tcpClosedNs/,
  ),
  part(
    'an SCTP association that is closed goes soon',
    { file: 'flow.h', from: 'return cfg_sctp_closed_ns;', to: 'return cfg_sctp_established_ns;' },
    FILE,
    /of SCTP that has seen .* ends by sctpClosedNs/,
  ),
  part(
    'an SCTP handshake that is not done goes soon',
    {
      file: 'flow.h',
      from: 'LB_FLOW_ESTABLISHED ? cfg_sctp_established_ns : cfg_sctp_init_ns',
      to: 'LB_FLOW_ESTABLISHED ? cfg_sctp_established_ns : cfg_sctp_established_ns',
    },
    FILE,
    /of SCTP that has seen .* ends by sctpInitNs/,
  ),
  part(
    'an SCTP association lives as long as its heartbeats come',
    {
      file: 'flow.h',
      from: 'LB_FLOW_ESTABLISHED ? cfg_sctp_established_ns : cfg_sctp_init_ns',
      to: 'LB_FLOW_ESTABLISHED ? cfg_sctp_init_ns : cfg_sctp_init_ns',
    },
    FILE,
    /of SCTP that has seen .* ends by sctpEstablishedNs/,
  ),
  part(
    'an INIT sent again is no middle of an association',
    { file: 'flow.h', from: ' && !packet_opens(p))\n\t\t*set', to: ')\n\t\t*set' },
    FILE,
    /of SCTP that has seen ">INIT <INIT_ACK >INIT" ends by sctpInitNs/,
  ),
  part(
    'ABORT and SHUTDOWN COMPLETE close an association',
    { file: 'flow.h', from: 'if (p->sctp_chunk == SCTP_ABORT || p->sctp_chunk == SCTP_SHUTDOWN_COMPLETE) {', to: 'if (0) {' },
    FILE,
    /of SCTP that has seen .* ends by sctpClosedNs/,
  ),
  part(
    'a flow that was silent for too long is ended',
    {
      file: 'expire.h',
      from: 'if (flow_is_expired(s, pass->now_ns) && flow_release(s, claim)) {',
      to: 'if (flow_is_expired(s, pass->first) && flow_release(s, claim)) {',
    },
    'flow-life.test.ts',
    /silence ends a flow with all of its entries/,
  ),
  part(
    'who did not send a RST cannot take it back',
    { file: 'flow.h', from: 'return reply == !!(flags & LB_FLOW_BACKEND_RESET) ? ', to: 'return 1 ? ' },
    FILE,
    /of TCP that has seen ">S <SA >A (>R <PA <FA|<R >PA >FA)" ends by tcpClosedNs/,
    /of SCTP that has seen ">INIT <INIT_ACK >COOKIE_ECHO <ABORT >DATA" ends by sctpClosedNs/,
  ),
  part(
    'who goes on has not sent the RST',
    { file: 'flow.h', from: 'return reply == !!(flags & LB_FLOW_BACKEND_RESET) ? ', to: 'return 0 ? ' },
    FILE,
    /of TCP that has seen ">S <SA >A (<R <PA|>R >PA|<R >PA <A)" ends by tcpEstablishedNs/,
    /of SCTP that has seen ">INIT <INIT_ACK >COOKIE_ECHO <ABORT >DATA <SACK" ends by sctpEstablishedNs/,
  ),
  part(
    'a FIN that a RST has overtaken opens nothing',
    {
      file: 'flow.h',
      from: '\telse\n\t\t*clear = flow_track_alive(reply, flags);',
      to: '\t*clear = flow_track_alive(reply, flags);',
    },
    FILE,
    /of TCP that has seen ">S <SA >A (>R >FA|<RA <FA)" ends by tcpClosedNs/,
  ),
];
