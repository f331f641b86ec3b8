// Everything that the checks of `turnout doctor` look at. Gathered in one place (gather-*.ts), judged in others, so that each check can
// be tried with facts that no test machine has. null: not known, because a file or a tool is missing.
import type { NetlinkDevice } from '../../../native/addon.ts';
import type { BlindSpot } from '../blind-spot-kinds.ts';

export interface ServiceFact {
  readonly service: string; // namespace/name
  readonly port: string; // 'http 10.96.0.10:80/TCP'
  readonly kind: 'ClusterIP' | 'ExternalIP' | 'NodePort';
  readonly portNumber: number;
  readonly family: 'IPv4' | 'IPv6';
  readonly hasEndpoints: boolean; // anywhere
  readonly isLocalPolicy: boolean; // the policy that governs this frontend
  readonly localEndpoints: number;
  readonly clusterEndpoints: number;
}

export interface HookFact {
  readonly pin: string;
  readonly ifindex: number; // by its name
  readonly direction: string;
  readonly isDetached: boolean;
}

export interface ForwardFact {
  readonly command: string; // 'iptables', 'ip6tables-legacy'
  readonly policy: string; // 'ACCEPT', 'DROP'
  readonly rules: readonly string[]; // as -S prints them, in order
}

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

export interface DoctorFacts {
  readonly process: { readonly pid: number; readonly version: string; readonly proxyMode: string } | null;
  readonly ownVersion: string;
  /** What answers where turnout's /healthz is to be; status 0: nobody. null: none is configured. */
  readonly healthz: { readonly url: string; readonly status: number } | null;
  readonly pinFolder: string; // ''
  readonly devices: readonly NetlinkDevice[];
  readonly eligible: ReadonlySet<number>; // devices of a kind that is hooked unless a pattern excludes it
  readonly wanted: ReadonlySet<number>; // devices that have a row: hooked, or to be
  readonly hooks: readonly HookFact[];
  readonly clsact: ReadonlyMap<number, readonly string[]>; // ifindex -> directions
  readonly xdp: ReadonlyMap<string, string>; // device -> mode, of programs that are not ours
  readonly socketPath: {
    readonly mode: string;
    readonly live: readonly string[]; // socket programs whose links are in force
    readonly missing: readonly string[];
    readonly cgroupId: string; // of the links; ''
    readonly root: string; // '' : no cgroup v2
    readonly rootId: string;
    readonly rootProcesses: number | null; // in it and below
    readonly isNested: boolean; // another cgroup namespace than process 1's
  };
  readonly services: readonly ServiceFact[];
  readonly tables: readonly { readonly name: string; readonly used: number; readonly size: number }[];
  readonly refusals: readonly { readonly name: string; readonly before: number; readonly after: number }[];
  readonly flows: { readonly all: number; readonly unreplied: number };
  readonly snatPorts: PortRange | null;
  readonly localPorts: PortRange | null; // net.ipv4.ip_local_port_range
  readonly reservedPorts: readonly PortRange[];
  readonly conntrack: { readonly count: number; readonly max: number } | null;
  readonly sysctls: ReadonlyMap<string, string>; // those that were there
  readonly uplinks: readonly string[]; // devices of default routes
  readonly forward: readonly ForwardFact[];
  /** Chains of nftables that hook forward with policy drop, iptables' own apart. */
  readonly nftForwardDrops: readonly string[];
  readonly hasConntrackCalls: boolean | null;
  readonly blindSpots: readonly BlindSpot[];
}
