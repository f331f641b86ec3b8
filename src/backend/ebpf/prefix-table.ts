// LPM tries of address prefixes: `source_ranges` (per Service) and `service_cidrs`.
import { u32Bytes } from '../../datapath/bytes.ts';
import {
  LB_SERVICE_CIDR_KEY_SIZE,
  LB_SOURCE_RANGE_KEY_SIZE,
  readSourceRangeKey,
  writeServiceCidrKey,
  writeSourceRangeKey,
} from '../../datapath/layout.gen.ts';
import type { BpfMap } from '../../native/bpf-map.ts';
import { type Cidr, parseCidr } from '../../state/ip.ts';
import { keyBytes, keyText } from './service-tables.ts';
import { writing } from './table-full.ts';

const SERVICE_ID_BITS = 32;
const PRESENT = u32Bytes(1);

/** Bits of the 128 that both families share: an IPv4 range is one of mapped addresses. */
const addressBits = ({ family, prefixLength }: Cidr): number => (family === 'IPv4' ? prefixLength + 96 : prefixLength);

/** Rows of a trie; a row's presence is all it says. */
class PrefixRows {
  readonly #map: BpfMap;
  constructor(map: BpfMap) {
    this.#map = map;
  }

  /** Rows as the kernel has them. */
  read(): string[] {
    return this.#map.keys().map(keyText);
  }

  add(keys: Iterable<string>): void {
    for (const key of keys) writing(this.#map, () => this.#map.set(keyBytes(key), PRESENT));
  }

  remove(keys: Iterable<string>): void {
    for (const key of keys) this.#map.delete(keyBytes(key));
  }
}

/** loadBalancerSourceRanges by service id. */
export class SourceRangeTable {
  readonly #rows: PrefixRows;
  readonly #byService = new Map<number, Set<string>>();

  /** Takes over what a former process left. */
  constructor(map: BpfMap) {
    this.#rows = new PrefixRows(map);
    for (const key of this.#rows.read()) this.#of(readSourceRangeKey(keyBytes(key)).serviceId).add(key);
  }

  /** True when these ranges are in force, and no others. */
  isExactly(serviceId: number, cidrs: readonly string[]): boolean {
    const present = this.#byService.get(serviceId);
    if (!present) return cidrs.length === 0;
    const wanted = new Set(rangeKeys(serviceId, cidrs));
    return present.size === wanted.size && [...wanted].every((key) => present.has(key));
  }

  /** Lets more sources in; nobody is shut out yet, so it may run before frontends are published. */
  allow(serviceId: number, cidrs: readonly string[]): void {
    const present = this.#byService.get(serviceId);
    const missing = rangeKeys(serviceId, cidrs).filter((key) => !present?.has(key));
    for (const key of missing) {
      this.#rows.add([key]);
      this.#of(serviceId).add(key); // one by one: the next may be refused
    }
  }

  /** Shuts out everybody else; none: the Service has no ranges any more. */
  restrict(serviceId: number, cidrs: readonly string[]): void {
    const present = this.#byService.get(serviceId);
    if (!present) return;
    const wanted = new Set(rangeKeys(serviceId, cidrs));
    const gone = [...present].filter((key) => !wanted.has(key));
    this.#rows.remove(gone);
    for (const key of gone) present.delete(key);
    if (present.size === 0) this.#byService.delete(serviceId);
  }

  /** Forgets ranges of ids that no Service has. */
  keepOnly(serviceIds: ReadonlySet<number>): void {
    for (const serviceId of [...this.#byService.keys()]) if (!serviceIds.has(serviceId)) this.restrict(serviceId, []);
  }

  #of(serviceId: number): Set<string> {
    const rows = this.#byService.get(serviceId) ?? new Set<string>();
    this.#byService.set(serviceId, rows);
    return rows;
  }
}

function rangeKeys(serviceId: number, cidrs: readonly string[]): string[] {
  return cidrs.map(parsed).map((cidr) => {
    const key = new Uint8Array(LB_SOURCE_RANGE_KEY_SIZE);
    writeSourceRangeKey(key, 0, { prefixLength: SERVICE_ID_BITS + addressBits(cidr), serviceId, address: cidr.network });
    return keyText(key);
  });
}

/** Makes `service_cidrs` hold these blocks and no others. */
export function writeServiceCidrs(map: BpfMap, cidrs: readonly string[]): void {
  const rows = new PrefixRows(map);
  const present = new Set(rows.read());
  const wanted = new Set(
    cidrs.map(parsed).map((cidr) => {
      const key = new Uint8Array(LB_SERVICE_CIDR_KEY_SIZE);
      writeServiceCidrKey(key, 0, { prefixLength: addressBits(cidr), address: cidr.network });
      return keyText(key);
    }),
  );
  rows.add([...wanted].filter((key) => !present.has(key)));
  rows.remove([...present].filter((key) => !wanted.has(key)));
}

/** cluster/ refuses what is no CIDR, so this is ours. */
function parsed(text: string): Cidr {
  const cidr = parseCidr(text);
  if (!cidr) throw new Error(`not a CIDR: ${text}`);
  return cidr;
}
