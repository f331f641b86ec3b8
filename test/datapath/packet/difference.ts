// Two packets side by side, one line for each field that differs.
import type { Extension, Packet } from './packet.ts';
import { readIp, readPacket } from './read-packet.ts';
import { octetsOf } from './write-packet.ts';

/** 'tcp.destinationPort: expected 8080, got 80', one for each field; empty when the octets are the same. */
export function packetDifference(expected: Packet | Uint8Array, actual: Packet | Uint8Array): string[] {
  const octets = [expected, actual].map((packet) => (packet instanceof Uint8Array ? packet : octetsOf(packet)));
  const [wanted = new Uint8Array(0), got = new Uint8Array(0)] = octets;
  if (Buffer.compare(wanted, got) === 0) return [];
  const left = describeFrame(wanted);
  const right = describeFrame(got);
  const lines = [...new Set([...left.keys(), ...right.keys()])]
    .filter((field) => left.get(field) !== right.get(field))
    .map((field) => `${field}: expected ${left.get(field) ?? 'nothing'}, got ${right.get(field) ?? 'nothing'}`);
  return lines.length > 0 ? lines : [`octets: expected ${hex(wanted)}, got ${hex(got)}`];
}

/** The packet on one line, as one writes it down. */
export function packetText(octets: Uint8Array): string {
  return [...describeFrame(octets)].map(([field, value]) => `${field}=${value}`).join(' ');
}

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex') || '(empty)';

function describeFrame(octets: Uint8Array): Map<string, string> {
  try {
    const packet = readPacket(octets);
    const fields = new Map<string, string>([
      ['ethernet.destination', packet.ethernet.destination],
      ['ethernet.source', packet.ethernet.source],
    ]);
    if (packet.ethernet.type !== undefined) fields.set('ethernet.type', `0x${packet.ethernet.type.toString(16)}`);
    describePacket(packet, '', fields);
    return fields;
  } catch {
    return new Map([['octets', hex(octets)]]); // no IP packet
  }
}

function describePacket({ ip, l4 }: Pick<Packet, 'ip' | 'l4'>, prefix: string, fields: Map<string, string>): void {
  describeFields(ip, `${prefix}ip.`, fields);
  const layer = `${prefix}${l4.kind}.`;
  describeFields(l4, layer, fields);
  if (l4.kind === 'raw' || (l4.kind !== 'icmp' && l4.checksum === 0)) return;
  if (l4.checksum === undefined) fields.set(`${layer}checksum`, 'the right one');
  if (l4.kind !== 'icmp') return;
  try {
    const inner = readIp(l4.payload);
    describePacket(inner, `${layer}inner.`, fields);
    fields.delete(`${layer}payload`);
  } catch {
    // carries no packet
  }
}

function describeFields(header: object, prefix: string, fields: Map<string, string>): void {
  for (const [name, value] of Object.entries(header)) {
    if (name === 'kind') continue;
    else if (value instanceof Uint8Array) fields.set(prefix + name, hex(value));
    else if (name === 'checksum') fields.set(prefix + name, `0x${(value as number).toString(16).padStart(4, '0')}`);
    else if (name === 'extensions') fields.set(prefix + name, (value as Extension[]).map(extensionText).join(' ') || '(none)');
    else fields.set(prefix + name, String(value));
  }
}

function extensionText(extension: Extension): string {
  if (extension.kind !== 'fragment') return `${extension.kind}:${hex(extension.data)}`;
  return `fragment:id=${extension.id},offset=${extension.offset}${extension.moreFragments ? ',more' : ''}`;
}
