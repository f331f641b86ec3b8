// What every proxy mode implements. A backend owns its part of the kernel and nothing else.
import type { VerifyReport } from '../cli/verify-table.ts';
import type { Changes, DesiredState } from '../state/model.ts';

export type ProbeResult = { ok: true } | { ok: false; reason: string };

export interface SyncReport {
  readonly servicePortsWritten: number;
  readonly servicePortsRemoved: number;
  /** Faults of single units: everything else was programmed. The loop retries these. */
  readonly failures: readonly { readonly key: string; readonly message: string }[];
}

/** What one Service port in one family did. All but `active` only grow. */
export interface ServiceReading {
  readonly namespace: string;
  readonly service: string;
  /** Its name, or its number where it has none. */
  readonly port: string;
  readonly connections: number;
  readonly active: number;
  readonly packets: number; // both ways
  readonly bytes: number;
  readonly rejects: number;
  readonly drops: number;
}

/** What a backend counted, at a scrape. Absolute; names are the datapath's own. */
export interface BackendReading {
  /** What comparing the kernel with what it should be has shown so far; absent: this backend does not. */
  readonly verification?: VerifyReport;
  readonly events: Readonly<Record<string, number>>;
  readonly drops: Readonly<Record<string, number>>;
  readonly tables: Readonly<Record<string, { readonly used: number; readonly size: number }>>;
  readonly services: readonly ServiceReading[];
}

export interface Backend {
  readonly mode: string; // 'ebpf', 'nftables', ... 'fake'
  /** Where its kernel objects are pinned; absent or '' : nowhere. */
  readonly pinPath?: string;
  /** Counters and table fill, for backends that have them. */
  reading?(): BackendReading;
  /** What comparing has shown so far; null: nothing yet. */
  verification?(): VerifyReport | null;
  /** Compares everything at once and puts right what differs. */
  verify?(): Promise<VerifyReport>;
  /** Can this mode run here? Found by trying, never by version. Changes nothing. */
  probe(): Promise<ProbeResult>;
  /** Load, attach, restore ids. Existing state of a former run stays in force. Nothing of `desired` is known yet. */
  start(): Promise<void>;
  /** Make the kernel match. Cost is proportional to `changes` unless `changes.full`. Throws only when nothing could be done. */
  sync(desired: DesiredState, changes: Changes): Promise<SyncReport>;
  /** End of the process: the datapath stays in force. */
  close(): Promise<void>;
  /** Remove exactly what is ours; works whether or not it was started. Deleting what is not there is success. */
  cleanup(): Promise<void>;
}
