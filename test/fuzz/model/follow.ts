// What packets say about the life of their flow: when is it over? RFC 9293 section 3.5 and 3.6, RFC 9260 section 3.3.
import type { Flow } from './flows.ts';
import { CHUNK, FLAG, type Headers, PROTOCOL } from './headers.ts';

/**
 * Who hangs up has forgotten the connection; what the other side had under way says nothing. Only the same side's going on shows that it
 * had not hung up. Its FIN does not, in TCP: it may have been overtaken.
 */
export function follow(flow: Flow, { protocol, piece, flags, chunk }: Headers, isReply: boolean): void {
  if (piece === 'later' || protocol === PROTOCOL.udp) return;
  const side = isReply ? 'backend' : 'client';
  const isTcp = protocol === PROTOCOL.tcp;
  if (isTcp ? (flags & FLAG.rst) !== 0 : chunk === CHUNK.abort || chunk === CHUNK.shutdownComplete) {
    flow.resetBy = side;
    return;
  }
  if (!isTcp || (flags & FLAG.fin) === 0) {
    if (flow.resetBy === side) flow.resetBy = null;
    return;
  }
  if (isReply) flow.backendHasEnded = true;
  else flow.clientHasEnded = true;
}
