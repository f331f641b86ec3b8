// What `turnout explain` tells, as values: the backend fills it, explain-text.ts prints it.

export interface ExplainQuestion {
  readonly source: string; // canonical address, or 'node'
  readonly sourcePort: number; // 0: any that has no flow
  readonly destination: string;
  readonly port: number;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  readonly device: string; // '' : by the route to the source
}

export interface ExplainedService {
  readonly namespace: string;
  readonly name: string;
  readonly portName: string; // ''
  readonly frontend: 'ClusterIP' | 'ExternalIP' | 'NodePort';
  /** What governs this frontend: 'internalTrafficPolicy' or 'externalTrafficPolicy', and its value. */
  readonly policyName: string;
  readonly policy: 'Cluster' | 'Local';
  readonly affinitySeconds: number; // 0: None
  readonly hasSourceRanges: boolean;
}

export interface SocketAnswer {
  /** left: a Service, but the packet path does it; none: not asked, or no Service. */
  readonly outcome: 'translated' | 'refused' | 'left' | 'none';
  readonly backend: string; // 'ip:port'; ''
  readonly text: string;
}

export interface PacketAnswer {
  readonly outcome: 'translated' | 'passed' | 'rejected' | 'dropped' | 'unseen';
  readonly backend: string; // 'ip:port'; ''
  readonly enters: string; // device; '' : none that has hooks
  readonly leaves: string; // device; 'this node': delivered here; ''
  /** The source that the backend sees: 'ip:port'; '' unless translated. */
  readonly seenSource: string;
  readonly isMasqueraded: boolean;
  /** A name of reasons.ts; '' unless rejected or dropped. */
  readonly reason: string;
  readonly text: string;
  readonly advice: string;
}

export interface CandidateRow {
  readonly endpoint: string;
  readonly isLocal: boolean;
  readonly chosen: number; // of `runs`
}

export interface ExplainedCandidates {
  readonly list: 'cluster' | 'local';
  readonly why: string;
  readonly runs: number;
  readonly rows: readonly CandidateRow[];
  readonly leftOut: readonly { readonly endpoint: string; readonly why: string }[];
}

export interface ExplainReport {
  readonly question: ExplainQuestion;
  readonly client: { readonly kind: 'pod' | 'node' | 'external'; readonly text: string };
  readonly service: ExplainedService | null;
  readonly rule: string;
  readonly socket: SocketAnswer;
  readonly packet: PacketAnswer;
  readonly candidates: ExplainedCandidates | null;
  readonly affinity: string; // a sentence; '' : no affinity
  readonly flow: string; // a sentence about flows that exist; ''
  readonly notes: readonly string[];
}
