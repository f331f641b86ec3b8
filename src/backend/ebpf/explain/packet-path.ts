// One packet through both hooks of the private datapath, and what that says about packets of this kind.
import type { ExplainQuestion } from '../../../cli/explain-report.ts';
import { Netlink } from '../../../native/netlink.ts';
import { hostPort } from '../../../state/ip.ts';
import type { PinnedTables } from '../pinned-tables.ts';
import { type Client, type HookedDevice, hooked } from './client.ts';
import type { FlowCopy } from './flow-copy.ts';
import { hookedDevice, routeTo } from './node-routes.ts';
import type { PrivateDatapath, Ran } from './private-datapath.ts';
import { type FrameAddresses, frameTo, probeFrame, readFrame } from './probe-frame.ts';

export interface PacketRun {
  readonly sent: FrameAddresses; // as it came to tc_ingress
  readonly ingress: Ran;
  readonly between: FrameAddresses; // as the stack sees it
  readonly egress: Ran | null;
  readonly left: FrameAddresses | null; // as it leaves
  readonly leaves: string; // device, 'this node', or ''
  readonly routeNote: string;
  readonly isMarked: boolean; // to be masqueraded where it leaves
}

/** Flows in force that own a key which the packet's new flow would take: each is copied, then the packet is sent anew. */
const MAX_COLLISIONS = 24;

export interface PacketPathOptions {
  readonly datapath: PrivateDatapath;
  readonly copy: FlowCopy;
  readonly tables: PinnedTables;
  readonly question: ExplainQuestion;
  readonly client: Client & { readonly entry: HookedDevice };
  readonly mark: number; // masqueraded packets carry it between the hooks
  /** Puts the private tables back to what is in force. */
  readonly restore: () => void;
}

export class PacketPath {
  readonly #options: PacketPathOptions;
  readonly #datapath: PrivateDatapath;

  constructor(options: PacketPathOptions) {
    this.#options = options;
    this.#datapath = options.datapath;
  }

  /** The packet through both hooks. A choice by chance falls anew each time. */
  async run(): Promise<PacketRun> {
    for (let tries = 0; ; tries++) {
      this.#options.restore();
      const run = await this.#both();
      const collided = this.#options.copy.made().map(({ key }) => this.#options.copy.take(key));
      if (collided.every((flow) => flow === null) || tries === MAX_COLLISIONS) return run;
    }
  }

  /** Where ingress alone sends the packet: 'ip:port', '' when it sends it nowhere. */
  destination(): string {
    this.#options.restore();
    const entering = this.#entering();
    if (entering.verdict !== 'next') return '';
    const ingress = this.#datapath.run('tc_ingress', entering.frame, this.#options.client.entry.ifindex);
    return isTranslated(ingress, entering.frame) ? endpointOf(readFrame(ingress.frame)) : '';
  }

  /** The frame as it comes to tc_ingress: of the node by its own port, which may refuse it. */
  #entering(): Ran {
    const { entry, hostEnd, source } = this.#options.client;
    const { destination, port, sourcePort, protocol } = this.#options.question;
    const addresses = { source, sourcePort, destination, destinationPort: port };
    const frame = probeFrame(addresses, protocol, (hostEnd ?? entry).mac);
    if (!hostEnd) return { verdict: 'next', frame, mark: 0, counted: new Set() };
    const aliased = this.#datapath.run('host_egress', frame, hostEnd.ifindex);
    return { ...aliased, frame: frameTo(aliased.frame, entry.mac) };
  }

  async #both(): Promise<PacketRun> {
    const { client, mark, tables } = this.#options;
    const entering = this.#entering();
    const sent = readFrame(entering.frame);
    const stays = { sent, between: sent, egress: null, left: null, leaves: '', routeNote: '', isMarked: false };
    if (entering.verdict !== 'next') return { ...stays, ingress: entering };
    const ingress = this.#datapath.run('tc_ingress', entering.frame, client.entry.ifindex);
    if (!isTranslated(ingress, entering.frame)) return { ...stays, ingress };
    const between = readFrame(ingress.frame);
    const translated = { ...stays, ingress, between, isMarked: (ingress.mark & mark) !== 0 };
    const route = await routeTo({
      to: between.destination,
      from: between.source,
      enters: client.entry.stackName,
      mark: ingress.mark,
    });
    if ('refusal' in route) return { ...translated, routeNote: `The node would not route it on: ${route.refusal}.` };
    if (route.isLocal) return { ...translated, leaves: 'this node' };
    const devices = Netlink.listDevices();
    const { device } = await hookedDevice(route.device, route.gateway || between.destination, devices);
    const out = hooked(device, devices, tables);
    if (!out) {
      const routeNote = `No program is attached to ${route.device}, so nothing can be masqueraded there.`;
      return { ...translated, leaves: route.device, routeNote };
    }
    const egress = this.#datapath.run('tc_egress', ingress.frame, out.ifindex, ingress.mark);
    return { ...translated, egress, left: egress.verdict === 'next' ? readFrame(egress.frame) : null, leaves: out.name };
  }
}

export const endpointOf = ({ destination, destinationPort }: FrameAddresses): string => hostPort(destination, destinationPort);
export const sourceOf = ({ source, sourcePort }: FrameAddresses): string => hostPort(source, sourcePort);

function isTranslated(ran: Ran, sent: Uint8Array): boolean {
  return ran.verdict === 'next' && endpointOf(readFrame(ran.frame)) !== endpointOf(readFrame(sent));
}
