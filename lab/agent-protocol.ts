// What an agent is asked and what it answers.

export type LabProtocol = 'TCP' | 'UDP' | 'SCTP';

export interface Address {
  readonly to: string;
  readonly port: number;
}

export interface ConnectRequest {
  readonly protocol: LabProtocol;
  readonly to: string;
  readonly port: number;
  readonly from?: string; // source address to bind; '' or absent: the kernel's choice
  readonly fromPort?: number;
  readonly count?: number; // default 1
  readonly concurrency?: number; // default 16
  readonly timeoutMs?: number; // default 2000
  /** UDP: connected sockets, unconnected ones, or both in turn (default). */
  readonly udp?: 'connected' | 'unconnected' | 'both';
  readonly octets?: number; // UDP payload; default 8
  readonly firstTo?: Address; // UDP, connected: a socket that was connected here, and disconnected, is used again
  /** TCP: by RST (default), or by FIN, the client's or the server's being the first. Done when the other side has closed, too. */
  readonly close?: 'reset' | 'client-first' | 'server-first';
  /** A datagram that the host's own firewall stopped gives EPERM; this waits for what follows it: a refusal, or nothing. */
  readonly awaitsAfterEperm?: boolean;
}

/**
 * endpoint: who answered, by its own word; peer: the source it saw; named: what getpeername() or recvfrom() said here.
 * error: an errno's name; 'EOF'; of SCTP also 'EWRONGSOURCE:<who>' and 'EBADCRC' for answers that no stack would have taken.
 */
export type Outcome =
  | { readonly ok: true; readonly endpoint: string; readonly peer: string; readonly named: string }
  | { readonly ok: false; readonly error: string };

export interface HoldReport {
  readonly held: number;
  readonly alive: number;
  readonly errors: readonly string[]; // distinct
}

export interface AnswersReport extends HoldReport {
  readonly endpoints: readonly string[]; // distinct; who answered datagrams
}

/** Octets that go to an echo server and back over one TCP connection. */
export interface BulkRequest extends Address {
  readonly octets: number;
  readonly timeoutMs: number;
}

/** SHA-256 of what was sent and of what came back. */
export interface BulkReport {
  readonly sent: string;
  readonly received: string;
}

export type AgentRequest =
  | { readonly op: 'listen'; readonly protocol: LabProtocol; readonly address: string; readonly port: number }
  | ({ readonly op: 'connect' } & ConnectRequest)
  | ({ readonly op: 'hold'; readonly name: string } & ConnectRequest)
  | { readonly op: 'check' | 'answers'; readonly name: string; readonly timeoutMs: number }
  | { readonly op: 'send'; readonly name: string; readonly timeoutMs: number }
  | { readonly op: 'push'; readonly port: number }
  | ({ readonly op: 'bulk' } & BulkRequest)
  | { readonly op: 'release'; readonly name: string };

/** 'ip:port' or '[ip]:port'. */
export const hostPort = (address: string, port: number): string => {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, '');
  return plain.includes(':') ? `[${plain}]:${port}` : `${plain}:${port}`;
};
