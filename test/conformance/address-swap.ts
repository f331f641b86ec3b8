// Every address and CIDR of a data file in the other family, one to one; what contains what stays so.
//
// IPv4 goes into one /96, so 10.0.1.2/24 becomes fd00:4:6::a00:102/120. IPv6 does not fit into IPv4: the blocks that the file names
// are laid out in 100.64.0.0/10, each as large as what lies in it needs, and addresses are counted off within their block.
// Loopback and "everywhere" are what they are in both families.
import { type Cidr, cidrContains, formatIp, parseCidr, parseIp } from '../../src/state/ip.ts';

const V6_PREFIX = [0xfd, 0x00, 0x00, 0x04, 0x00, 0x06, 0, 0, 0, 0, 0, 0];
const V4_BASE = 0x64400000; // 100.64.0.0
const V4_END = 0x64800000;
const SMALLEST_BLOCK = 256; // easier to read than what would do

interface Parsed {
  readonly address: Uint8Array;
  readonly isCanonical: boolean; // else with leading zeros, or not shortened
  readonly block: Cidr | null; // null: a single address
  readonly port: string; // '' : none
  readonly space: string; // before it, as users leave it in lists
}

/** An address, CIDR or endpoint ('ip:port', '[ip]:port'); null for any other text. */
function parse(text: string): Parsed | null {
  const space = /^\s*/.exec(text)?.[0] ?? '';
  const endpoint = /^\[([0-9a-fA-F:.]+)\]:(\d+)$/.exec(text) ?? /^([\d.]+):(\d+)$/.exec(text);
  const [plain = '', length] = (endpoint?.[1] ?? text.trim()).split('/');
  const address = parseIp(plain);
  const block = length === undefined ? null : parseCidr(text);
  if (!address || (length !== undefined && !block)) return null;
  return { address, isCanonical: formatIp(address) === plain, block, port: endpoint?.[2] ?? '', space };
}

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');
const isV4 = (octets: Uint8Array): boolean => !formatIp(octets).includes(':');
const octetsOfV4 = (value: number): Uint8Array =>
  Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, value >>> 24, value >>> 16, value >>> 8, value]);

interface Block {
  readonly cidr: Cidr;
  readonly inner: Block[];
  readonly addresses: Uint8Array[];
  size: number;
}

const powerOfTwoFrom = (least: number): number => 2 ** Math.ceil(Math.log2(least));

function measure(block: Block): number {
  for (const inner of block.inner) measure(inner);
  block.inner.sort((a, b) => b.size - a.size); // largest first: each is aligned to its size then
  const needed = block.inner.reduce((sum, { size }) => sum + size, 0) + block.addresses.length + 2; // network and broadcast
  block.size = Math.max(SMALLEST_BLOCK, powerOfTwoFrom(needed));
  return block.size;
}

/** Gives each IPv6 address and block of the texts its place in IPv4. */
class V4Layout {
  readonly #addresses = new Map<string, number>();
  readonly #blocks = new Map<string, { base: number; size: number }>();

  constructor(parsed: readonly Parsed[]) {
    const v6 = parsed.filter(({ address }) => !isV4(address));
    const root: Block = { cidr: parseCidr('::/0') as Cidr, inner: [], addresses: [], size: 0 };
    const cidrs = new Map(v6.flatMap(({ block }) => (block && block.prefixLength < 128 ? [[block.text, block]] : [])));
    const parentOf = (octets: Uint8Array): Block => {
      let block = root;
      for (let next: Block | undefined = root; next; next = block.inner.find(({ cidr }) => cidrContains(cidr, octets)))
        block = next;
      return block;
    };
    for (const cidr of [...cidrs.values()].sort((a, b) => a.prefixLength - b.prefixLength || (a.text < b.text ? -1 : 1))) {
      if (cidr.prefixLength > 0) parentOf(cidr.network).inner.push({ cidr, inner: [], addresses: [], size: 0 });
    }
    const seen = new Map(v6.map(({ address }) => [hex(address), address]));
    for (const [text, { network }] of cidrs) if (text) seen.delete(hex(network)); // the block itself, unless it is used as an address
    for (const { address, block } of v6) if (!block || block.prefixLength === 128) seen.set(hex(address), address);
    for (const [, address] of [...seen].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (!isLoopback(address)) parentOf(address).addresses.push(address);
    }
    measure(root);
    if (V4_BASE + root.size > V4_END) throw new Error('more IPv6 addresses than fit into 100.64.0.0/10');
    this.#place(root, V4_BASE);
  }

  #place(block: Block, base: number): void {
    this.#blocks.set(block.cidr.text, { base, size: block.size });
    let at = base;
    for (const inner of block.inner) {
      this.#place(inner, at);
      at += inner.size;
    }
    if (at === base) at++; // the network's own address
    for (const address of block.addresses) this.#addresses.set(hex(address), at++);
  }

  address(octets: Uint8Array): Uint8Array {
    const value = this.#addresses.get(hex(octets)) ?? this.#baseOf(octets);
    if (value === undefined) throw new Error(`${formatIp(octets)} has no place in IPv4`);
    return octetsOfV4(value);
  }

  /** The network address of a block, where it is written as one. */
  #baseOf(octets: Uint8Array): number | undefined {
    return [...this.#blocks].find(([text]) => text.startsWith(`${formatIp(octets)}/`))?.[1].base;
  }

  prefixLength({ text, prefixLength }: Cidr): number {
    return prefixLength === 128 ? 32 : 32 - Math.log2(this.#blocks.get(text)?.size ?? 1);
  }
}

function isLoopback(octets: Uint8Array): boolean {
  return isV4(octets) ? octets[12] === 127 : formatIp(octets) === '::1';
}

/** Without shortening, or with leading zeros. */
function clumsy(octets: Uint8Array): string {
  if (isV4(octets)) return [...octets.subarray(12)].map((octet) => String(octet).padStart(3, '0')).join('.');
  return hex(octets).match(/.{4}/g)?.join(':') ?? '';
}

/** Swaps the families of texts. All texts that belong together go in first; what is no address comes back as it is. */
export function addressSwap(texts: readonly string[]): (text: string) => string {
  const layout = new V4Layout(texts.flatMap((text) => parse(text) ?? []));
  const swapOctets = (octets: Uint8Array): Uint8Array => {
    if (isLoopback(octets)) return parseIp(isV4(octets) ? '::1' : '127.0.0.1') as Uint8Array;
    return isV4(octets) ? Uint8Array.from([...V6_PREFIX, ...octets.subarray(12)]) : layout.address(octets);
  };
  const swapLength = (octets: Uint8Array, block: Cidr): number => {
    if (isLoopback(octets)) return isV4(octets) ? 128 : 32; // 127.0.0.0/8 and ::1/128 are both all of it
    return isV4(octets) ? block.prefixLength + 96 : layout.prefixLength(block);
  };
  return (text) => {
    const parsed = parse(text);
    if (!parsed) return text;
    const { address, isCanonical, block, port, space } = parsed;
    if (block?.prefixLength === 0) return `${space}${isV4(address) ? '::/0' : '0.0.0.0/0'}`;
    const octets = swapOctets(address);
    const plain = isCanonical ? formatIp(octets) : clumsy(octets);
    if (port) return plain.includes(':') ? `[${plain}]:${port}` : `${plain}:${port}`;
    return `${space}${plain}${block ? `/${swapLength(address, block)}` : ''}`;
  };
}
