// `turnout monitor`: one event as a line for people and as JSON, and which events somebody asked for.
import { formatIp } from '../state/ip.ts';
import {
  type EndpointFilter,
  matchesEndpoint,
  matchesService,
  type ServiceFilter,
  type ServiceIdentity,
  serviceText,
} from './endpoint-filter.ts';
import type { FlowEnd } from './flow.ts';
import { endText } from './flows-table.ts';
import { reasonOf } from './reasons.ts';
import { printable } from './table.ts';

/** new: a flow of the packet path; socket: a connect() that was translated. */
export const MONITOR_KINDS = ['drop', 'reject', 'new', 'socket'] as const;
export type MonitorKind = (typeof MONITOR_KINDS)[number];

export interface MonitorEvent {
  readonly timeMs: number; // since the epoch
  readonly kind: MonitorKind;
  /** Why, of drops and rejects: a name of reasons.ts. Null: nothing was refused. */
  readonly reason: string | null;
  /** 'TCP', 'ICMPv6', 'protocol 47'. */
  readonly protocol: string;
  /** Null: a socket that was bound to nothing yet. */
  readonly source: FlowEnd | null;
  readonly frontend: FlowEnd;
  readonly backend: FlowEnd | null;
  /** Name of the device, 'ifindex 7' when it is gone; null for sockets. */
  readonly device: string | null;
  readonly hook: 'ingress' | 'egress' | 'socket';
  /** Null: none was known. */
  readonly service: ServiceIdentity | null;
}

export interface MonitorFilter {
  /** Of each list one must match; an empty one lets everything pass. */
  readonly services: readonly ServiceFilter[];
  readonly clients: readonly EndpointFilter[];
  readonly reasons: readonly string[];
}

export function matchesEvent({ services, clients, reasons }: MonitorFilter, event: MonitorEvent): boolean {
  const { service, source, reason } = event;
  if (reasons.length > 0 && !(reason !== null && reasons.includes(reason))) return false;
  if (services.length > 0 && !(service !== null && services.some((one) => matchesService(one, service)))) return false;
  return clients.length === 0 || (source !== null && clients.some((one) => matchesEndpoint(one, source.address, source.port)));
}

/** 08:15:00.123 on this machine's clock. */
function clock(timeMs: number): string {
  const time = new Date(timeMs);
  return `${time.toTimeString().slice(0, 8)}.${String(time.getMilliseconds()).padStart(3, '0')}`;
}

/** One line, without a newline: time, kind, reason, protocol, who to whom, where, Service. */
export function eventLine(event: MonitorEvent): string {
  const { timeMs, kind, reason, protocol, source, frontend, backend, device, hook, service } = event;
  const packet = [
    source === null ? 'socket' : endText(source),
    endText(frontend),
    ...(backend === null ? [] : [endText(backend)]),
  ];
  return [
    clock(timeMs),
    kind.padEnd(6),
    (reason ?? '-').padEnd(17),
    protocol.padEnd(4),
    packet.join(' -> '),
    device === null ? `(${hook})` : `(${printable(device)} ${hook})`,
    ...(service === null ? [] : [printable(serviceText(service))]),
  ].join('  ');
}

/** What a reason means, for below the first event that has it. */
export function reasonLines(reason: string): string[] {
  const { meaning, advice } = reasonOf(reason);
  return [`# ${reason}: ${meaning}`, `#   -> ${advice}`];
}

export const missedLine = (timeMs: number, count: number): string =>
  `# ${clock(timeMs)}  ${count} ${count === 1 ? 'event was' : 'events were'} missed: more than 10,000 a second on a CPU, or printed too slowly`;

const endJson = (end: FlowEnd | null): object | null => end && { address: formatIp(end.address), port: end.port };

/** One object on one line. */
export function eventJson(event: MonitorEvent): string {
  const { timeMs, kind, reason, protocol, source, frontend, backend, device, hook, service } = event;
  return JSON.stringify({
    time: new Date(timeMs).toISOString(),
    kind,
    ...(reason === null ? {} : { reason, ...reasonOf(reason) }),
    protocol,
    source: endJson(source),
    frontend: endJson(frontend),
    backend: endJson(backend),
    device,
    hook,
    service: service && {
      namespace: service.namespace,
      name: service.name,
      portName: service.portName,
      port: service.port,
    },
  });
}

export const missedJson = (timeMs: number, count: number): string =>
  JSON.stringify({ time: new Date(timeMs).toISOString(), kind: 'missed', count });
