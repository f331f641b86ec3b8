// LPM tries of address prefixes: `source_ranges` (per Service) and `service_cidrs`.
import { addressText } from '../../datapath/address.ts';
import { viewOf } from '../../datapath/bytes.ts';
import {
  LB_SERVICE_CIDR_KEY_SIZE,
  LB_SOURCE_RANGE_KEY_SIZE,
  readServiceCidrKey,
  readSourceRangeKey,
  writeServiceCidrKey,
  writeSourceRangeKey,
} from '../../datapath/layout.gen.ts';
import type { BpfMap } from '../../native/bpf-map.ts';
import { type Cidr, parseCidr } from '../../state/ip.ts';
import { keyBytes, keyText } from './service-tables.ts';
import { writing } from './table-full.ts';
import { hashTable, isSameOctets, type VerifiedTable } from './verified-table.ts';

const SERVICE_ID_BITS = 32;

/**
 * A trie answers with the longest prefix that matches, so a row holds its own length (the first field of both keys): then the answer
 * tells whether it is of just this row. Programs look at no value.
 */
const lengthOctets = (key: string): Uint8Array => keyBytes(key).subarray(0, 4);

/** Bits of the 128 that both families share: an IPv4 range is one of mapped addresses. */
const addressBits = ({ family, prefixLength }: Cidr): number => (family === 'IPv4' ? prefixLength + 96 : prefixLength);

/** Rows of a trie; a row's presence is all that counts. */
class PrefixRows {
  readonly map: BpfMap;
  constructor(map: BpfMap) {
    this.map = map;
  }

  /** Rows as the kernel has them. */
  read(): string[] {
    return this.map.keys().map(keyText);
  }

  add(keys: Iterable<string>): void {
    for (const key of keys) writing(this.map, () => this.map.set(keyBytes(key), lengthOctets(key)));
  }

  remove(keys: Iterable<string>): void {
    for (const key of keys) this.map.delete(keyBytes(key));
  }
}

/** loadBalancerSourceRanges by service id. */
export class SourceRangeTable {
  readonly #rows: PrefixRows;
  readonly #byService = new Map<number, Set<string>>();

  /** Takes over what a former process left. */
  constructor(map: BpfMap) {
    this.#rows = new PrefixRows(map);
    const keys = this.#rows.read();
    for (const key of keys) this.#of(readSourceRangeKey(keyBytes(key)).serviceId).add(key);
    this.#rows.add(keys); // a former version wrote other values
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

  get verified(): VerifiedTable {
    const byService = this.#byService;
    return prefixTable(
      this.#rows.map,
      function* () {
        for (const keys of byService.values()) yield* keys;
      },
      (key) => byService.get(readSourceRangeKey(keyBytes(key)).serviceId)?.has(key) === true,
      (key) => {
        const { serviceId, address, prefixLength } = readSourceRangeKey(keyBytes(key));
        return `service ${serviceId}: ${prefixText(address, prefixLength - SERVICE_ID_BITS)}`;
      },
    );
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

/** ServiceCIDRs of the cluster. */
export class ServiceCidrTable {
  readonly #rows: PrefixRows;
  #wanted: ReadonlySet<string> | null = null; // null: not known yet

  constructor(map: BpfMap) {
    this.#rows = new PrefixRows(map);
  }

  /** Makes the table hold these blocks and no others. */
  write(cidrs: readonly string[]): void {
    const present = this.#rows.read();
    const wanted = new Set(
      cidrs.map(parsed).map((cidr) => {
        const key = new Uint8Array(LB_SERVICE_CIDR_KEY_SIZE);
        writeServiceCidrKey(key, 0, { prefixLength: addressBits(cidr), address: cidr.network });
        return keyText(key);
      }),
    );
    this.#wanted = null;
    this.#rows.add(wanted);
    this.#rows.remove(present.filter((key) => !wanted.has(key)));
    this.#wanted = wanted;
  }

  get verified(): VerifiedTable {
    return prefixTable(
      this.#rows.map,
      () => this.#wanted ?? [],
      (key) => this.#wanted?.has(key) ?? true,
      (key) => {
        const { address, prefixLength } = readServiceCidrKey(keyBytes(key));
        return prefixText(address, prefixLength);
      },
    );
  }
}

function prefixTable(
  map: BpfMap,
  rows: () => Iterable<string>,
  isExpected: (key: string) => boolean,
  describe: (key: string) => string,
): VerifiedTable {
  const table = hashTable({
    map,
    *rows() {
      for (const key of rows()) yield { key, value: lengthOctets(key) };
    },
    expected: (key) => (isExpected(key) ? lengthOctets(key) : null),
    show: (value) => `the row of a prefix of ${viewOf(value).getUint32(0, true)} bits`,
    describe,
  });
  return {
    ...table,
    /** The row of a shorter prefix is not the one that should be there. */
    read: (key) => {
      const found = table.read(key);
      return found && isExpected(key) && !isSameOctets(found, lengthOctets(key)) ? null : found;
    },
  };
}

function prefixText(address: Uint8Array, bits: number): string {
  const isIpv4 = bits >= 96 && !addressText(address).includes(':');
  return `${addressText(address)}/${isIpv4 ? bits - 96 : bits}`;
}

/** cluster/ refuses what is no CIDR, so this is ours. */
function parsed(text: string): Cidr {
  const cidr = parseCidr(text);
  if (!cidr) throw new Error(`not a CIDR: ${text}`);
  return cidr;
}
