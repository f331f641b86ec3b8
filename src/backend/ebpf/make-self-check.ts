// What the self-check looks at, put together.
import type { VerifyReport } from '../../cli/verify-table.ts';
import type { Logger } from '../../log.ts';
import type { BpfObject } from '../../native/bpf-object.ts';
import { findBlindSpots } from './blind-spots.ts';
import type { CanaryProof, SocketCanary } from './canary.ts';
import type { PacketCanary } from './canary-packets.ts';
import type { ForwardRule } from './forward-rule.ts';
import type { Hooks } from './hooks.ts';
import { checkLinks } from './link-check.ts';
import type { NodeNetwork } from './node-network.ts';
import type { Programmed } from './programmed-unit.ts';
import { SelfCheck } from './self-check.ts';
import { TableCount } from './table-count.ts';
import type { TableFill } from './table-pressure.ts';
import { verifiedServices } from './verified-services.ts';
import type { VerifiedTable } from './verified-table.ts';

export interface SelfCheckMakings {
  readonly object: BpfObject;
  readonly hooks: Hooks;
  readonly network: NodeNetwork;
  readonly programmed: Programmed;
  /** Those of other owners, beside the Services' and `devices`. */
  readonly tables: readonly VerifiedTable[];
  readonly forward: Pick<ForwardRule, 'check'>;
  readonly cgroup: string; // where the socket path is attached; '' : nowhere
  readonly canary: SocketCanary | null;
  /** Whether sockets of this process are left to the packet path, so that the canary's are too. */
  readonly isExcluded: () => boolean;
  readonly packetCanary: PacketCanary | null;
  readonly fill: () => TableFill; // `affinity` is added
  readonly refused: () => VerifyReport['refused'];
  readonly periodMs: number;
  readonly logger: Logger;
}

/** Hooks that nothing is sent through, and why. */
const PACKETS = 'no packet of ours goes through it; its link and its program are compared';
const EXCLUDED = 'the cgroup of turnout itself is excluded (--ebpf-socket-path-exclude); its link and its program are compared';
const RELEASE = 'what it does shows nowhere; its link and its program are compared';

export function makeSelfCheck(makings: SelfCheckMakings): SelfCheck {
  const {
    object,
    hooks,
    network,
    programmed,
    tables,
    forward,
    cgroup,
    canary,
    isExcluded,
    packetCanary,
    fill,
    refused,
    periodMs,
    logger,
  } = makings;
  const affinity = object.map('affinity');
  const clients = new TableCount(affinity);
  const socketProofs = async (): Promise<readonly CanaryProof[]> => {
    const proofs = (await canary?.run()) ?? [];
    return isExcluded() ? proofs.map(({ hook }) => ({ hook, failure: '', unproven: EXCLUDED })) : proofs;
  };
  return new SelfCheck({
    tables: [...verifiedServices(object, programmed), network.verified, ...tables],
    counts: [clients],
    links: (onDrift) => checkLinks({ hooks, devices: () => network.hookedPlaces(), cgroup }, onDrift),
    forward: (onDrift) => forward.check(onDrift),
    canary: async () => (await Promise.all([socketProofs(), packetCanary?.run() ?? []])).flat(),
    unproven: [
      { hook: 'tc_ingress, tc_egress (other devices)', detail: PACKETS },
      ...(canary ? [{ hook: 'sock_release', detail: RELEASE }] : []),
    ],
    blindSpots: findBlindSpots,
    fill: () => ({ ...fill(), affinity: { used: clients.used, size: affinity.maxEntries } }),
    refused,
    periodMs,
    logger,
  });
}
