// Refusals as log lines: the programs report at most one each 10 ms and reason; here it becomes one line a second and reason.
import { endpointText } from '../../datapath/address.ts';
import { Counter, Direction, type Event, readEvent } from '../../datapath/layout.gen.ts';
import type { Logger } from '../../log.ts';
import { counterName } from './counters.ts';

const NAMES = new Map<number, string>(Object.entries(Counter).map(([name, value]) => [value, counterName(name).name]));
const PROTOCOLS = new Map([
  [1, 'ICMP'],
  [6, 'TCP'],
  [17, 'UDP'],
  [58, 'ICMPv6'],
  [132, 'SCTP'],
]);
const WINDOW_MS = 1000;

export const packetProtocol = (number: number): string => PROTOCOLS.get(number) ?? `protocol ${number}`;

/** 'TCP 10.1.0.5:40000 -> 10.96.0.1:80' */
export function describePacket(event: Event): string {
  return `${packetProtocol(event.protocol)} ${endpointText({ address: event.source, port: event.sourcePort })} -> ${endpointText({ address: event.destination, port: event.destinationPort })}`;
}

/** Takes ring buffer records. */
export function refusalLog(logger: Logger, now: () => number = () => performance.now()): (record: Uint8Array) => void {
  const windows = new Map<number, { startMs: number; hidden: number }>();
  return (record) => {
    const event = readEvent(record);
    const nowMs = now();
    const window = windows.get(event.reason);
    if (window && nowMs - window.startMs < WINDOW_MS) {
      window.hidden++;
      return;
    }
    windows.set(event.reason, { startMs: nowMs, hidden: 0 });
    logger.verbose(1, 'Refused packet', {
      reason: NAMES.get(event.reason) ?? event.reason,
      packet: describePacket(event),
      hook: event.direction === Direction.LB_IN ? 'ingress' : 'egress',
      ifindex: event.ifindex,
      alsoHidden: window?.hidden ?? 0,
    });
  };
}
