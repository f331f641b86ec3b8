// Everything the programmer writes, over the maps of one object.
import type { BpfMap } from '../../native/bpf-map.ts';
import { AddressTable } from './address-table.ts';
import { SourceRangeTable } from './prefix-table.ts';
import { ServiceTables } from './service-tables.ts';

export interface ProgrammerTables {
  readonly services: ServiceTables;
  readonly addresses: Pick<AddressTable, 'add' | 'remove' | 'flush'>;
  readonly sourceRanges: Pick<SourceRangeTable, 'isExactly' | 'allow' | 'restrict' | 'keepOnly'>;
}

/** The same with everything these tables can. */
export interface OwnedTables extends ProgrammerTables {
  readonly addresses: AddressTable;
  readonly sourceRanges: SourceRangeTable;
}

/** Takes over what is in the maps. `addresses` is shared with NodeNetwork: the table has one owner. */
export function programmerTables(object: { map(name: string): BpfMap }): OwnedTables {
  return {
    services: ServiceTables.of(object),
    addresses: new AddressTable(object.map('addresses')),
    sourceRanges: new SourceRangeTable(object.map('source_ranges')),
  };
}
