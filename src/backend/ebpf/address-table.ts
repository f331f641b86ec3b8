// The `addresses` table: one row says everything about an address, but two parts of the controller have something to say.
import { addressOctets, addressText } from '../../datapath/address.ts';
import { u32Bytes, viewOf } from '../../datapath/bytes.ts';
import { AddressFlag } from '../../datapath/layout.gen.ts';
import type { BpfMap } from '../../native/bpf-map.ts';
import { keyBytes, keyText } from './service-tables.ts';
import { writing } from './table-full.ts';
import { hashTable, type VerifiedTable } from './verified-table.ts';

const ADDRESS_OCTETS = 16;
const FLAGS_OCTETS = 4;

/** What Services say about an address, of enum lb_address_flag. */
export type ServiceAddressFlag = typeof AddressFlag.LB_ADDRESS_CLUSTER_IP | typeof AddressFlag.LB_ADDRESS_EXTERNAL;

/**
 * Addresses of the node come from rtnetlink, the others from Services, and one address may be both (what IPVS left behind, a
 * load-balancer IP that the node has).
 * Invariant: after flush() the table has a row for each address with a reason to be there, and no other.
 */
export class AddressTable {
  readonly #map: BpfMap;
  readonly #present = new Map<string, number>(); // address octets as text -> flags in the kernel
  readonly #node = new Map<string, number>();
  /** Flags that Services give -> address -> how many units have it. */
  readonly #ofServices = new Map<ServiceAddressFlag, Map<string, number>>([
    [AddressFlag.LB_ADDRESS_CLUSTER_IP, new Map()],
    [AddressFlag.LB_ADDRESS_EXTERNAL, new Map()],
  ]);
  readonly #changed = new Set<string>();

  /** Takes over what a former process left; rows without a reason go with the first flush(). */
  constructor(map: BpfMap) {
    this.#map = map;
    this.#read();
  }

  /** Addresses that have a row. */
  get used(): number {
    return this.#present.size;
  }

  /** Flags (enum lb_address_flag) by canonical address, as nodeAddressFlags() gives them. `all`: also what did not change. */
  setNodeAddresses(flags: ReadonlyMap<string, number>, all: boolean): void {
    const wanted = new Map([...flags].map(([address, value]) => [keyText(addressOctets(address)), value]));
    for (const key of this.#node.keys()) if (!wanted.has(key)) this.#setNode(key, 0);
    for (const [key, value] of wanted) this.#setNode(key, value);
    if (all) this.#read();
    this.flush();
  }

  /** key: the address's octets as text. Written with the next flush(). */
  add(key: string, flag: ServiceAddressFlag): void {
    this.#count(key, flag, 1);
  }

  remove(key: string, flag: ServiceAddressFlag): void {
    this.#count(key, flag, -1);
  }

  /** Writes what changed, in two batches. */
  flush(): void {
    const written = [...this.#changed].filter((key) => this.#flags(key) !== 0 && this.#flags(key) !== this.#present.get(key));
    const deleted = [...this.#changed].filter((key) => this.#flags(key) === 0 && this.#present.has(key));
    if (written.length > 0) writing(this.#map, () => this.#map.setBatch(joined(written), this.#values(written), written.length));
    for (const key of written) this.#present.set(key, this.#flags(key));
    if (deleted.length > 0) this.#map.deleteBatch(joined(deleted), deleted.length);
    for (const key of deleted) this.#present.delete(key);
    this.#changed.clear();
  }

  /** Rows as they should be, but for those that are about to be written. */
  get verified(): VerifiedTable {
    const value = (key: string): Uint8Array => u32Bytes(this.#flags(key));
    const known = [this.#node, ...this.#ofServices.values()];
    const changed = this.#changed;
    return hashTable({
      map: this.#map,
      *rows() {
        for (const [i, keys] of known.entries()) {
          const isNew = (key: string): boolean => !known.slice(0, i).some((before) => before.has(key));
          for (const key of keys.keys()) if (!changed.has(key) && isNew(key)) yield { key, value: value(key) };
        }
      },
      expected: (key) => {
        if (changed.has(key)) return undefined;
        return this.#flags(key) === 0 ? null : value(key);
      },
      describe: (key) => addressText(keyBytes(key)),
      show: (flags) => `flags ${viewOf(flags).getUint32(0, true)}`,
    });
  }

  /** What the kernel holds, in case somebody else touched it: every row is looked at with the next flush(). */
  #read(): void {
    this.#present.clear();
    const { count, keys, values } = this.#map.getBatch();
    const view = viewOf(values);
    for (let i = 0; i < count; i++) {
      const key = keyText(keys.subarray(i * ADDRESS_OCTETS, (i + 1) * ADDRESS_OCTETS));
      this.#present.set(key, view.getUint32(i * FLAGS_OCTETS, true));
    }
    for (const known of [this.#present, this.#node, ...this.#ofServices.values()])
      for (const key of known.keys()) this.#changed.add(key);
  }

  #flags(key: string): number {
    return [...this.#ofServices].reduce(
      (flags, [flag, addresses]) => (addresses.has(key) ? flags | flag : flags),
      this.#node.get(key) ?? 0,
    );
  }

  #setNode(key: string, flags: number): void {
    if (this.#node.get(key) === flags) return;
    if (flags === 0) this.#node.delete(key);
    else this.#node.set(key, flags);
    this.#changed.add(key);
  }

  #count(key: string, flag: ServiceAddressFlag, by: 1 | -1): void {
    const addresses = this.#ofServices.get(flag);
    const count = (addresses?.get(key) ?? 0) + by;
    if (count > 0) addresses?.set(key, count);
    else addresses?.delete(key);
    this.#changed.add(key);
  }

  #values(keys: readonly string[]): Uint8Array {
    const values = new Uint8Array(keys.length * FLAGS_OCTETS);
    const view = viewOf(values);
    for (const [i, key] of keys.entries()) view.setUint32(i * FLAGS_OCTETS, this.#flags(key), true);
    return values;
  }
}

function joined(keys: readonly string[]): Uint8Array {
  return keyBytes(keys.join(''));
}
