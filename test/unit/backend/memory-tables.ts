// The tables of Services in memory, for what decides about them. `log` has each write that readers could see, in order.
import type { ServiceAddressFlag } from '../../../src/backend/ebpf/address-table.ts';
import type { ProgrammerTables } from '../../../src/backend/ebpf/programmer-tables.ts';
import { keyBytes, type ServiceTables } from '../../../src/backend/ebpf/service-tables.ts';
import { addressText } from '../../../src/datapath/address.ts';
import { AddressFlag, type Backend, type Frontend, readFrontendKey, type ServiceName } from '../../../src/datapath/layout.gen.ts';

const NO_BACKEND: Backend = { address: new Uint8Array(16), port: 0, flags: 0, serviceId: 0, backendId: 0, generation: 0 };

export class MemoryTables {
  readonly rows = new Map<string, Frontend>();
  readonly backends = new Map<number, Backend>();
  readonly generations = new Map<number, number>();
  readonly serviceNames = new Map<number, ServiceName>();
  readonly zeroed: number[] = [];
  readonly clusterIPs: string[] = []; // with repetition: one for each unit
  readonly externalIPs: string[] = []; // likewise
  readonly allowed = new Map<number, Set<string>>(); // source ranges by service id
  readonly lists = new Map<number, number>();
  readonly log: string[] = [];
  readonly backendRows: number;
  readonly serviceIds: number;
  readonly frontendRows: number;

  constructor(backendRows: number, serviceIds: number, frontendRows = 64) {
    this.frontendRows = frontendRows;
    this.backendRows = backendRows;
    this.serviceIds = serviceIds;
  }

  /** As what the programmer asks for. */
  get tables(): ProgrammerTables {
    return { services: this as unknown as ServiceTables, addresses: this.addresses, sourceRanges: this.sourceRanges };
  }
  readonly addresses: ProgrammerTables['addresses'] = {
    add: (key, flag) => void this.#addressesOf(flag).push(addressText(keyBytes(key))),
    remove: (key, flag) => {
      const addresses = this.#addressesOf(flag);
      addresses.splice(addresses.indexOf(addressText(keyBytes(key))), 1);
    },
    flush: () => {}, // readers see the rows below at once
  };
  readonly sourceRanges: ProgrammerTables['sourceRanges'] = {
    isExactly: (id, cidrs) => [...(this.allowed.get(id) ?? [])].sort().join() === [...cidrs].sort().join(),
    allow: (id, cidrs) => {
      if (cidrs.length > 0) this.allowed.set(id, new Set([...(this.allowed.get(id) ?? []), ...cidrs]));
    },
    restrict: (id, cidrs) => {
      if (!this.allowed.has(id)) return;
      if (cidrs.length > 0) this.allowed.set(id, new Set(cidrs));
      else this.allowed.delete(id);
    },
    keepOnly: (ids) => {
      for (const id of this.allowed.keys()) if (!ids.has(id)) this.allowed.delete(id);
    },
  };

  /** What a packet to `frontend` ('10.96.0.10:80') may be sent to; null when there is no such row. */
  backendsOf(frontend: string, list: 'cluster' | 'local' = 'cluster'): string[] | null {
    const found = [...this.rows].find(([key]) => nameOf(key) === frontend);
    if (!found) return null;
    const { base, count } = found[1][list];
    return Array.from({ length: count }, (_, i) => {
      const backend = this.readBackend(base + i);
      return backend.serviceId === found[1].serviceId ? `${addressText(backend.address)}:${backend.port}` : 'of another Service';
    });
  }

  writeBackend(row: number, backend: Backend): void {
    this.backends.set(row, backend);
  }
  readBackend(row: number): Backend {
    return this.backends.get(row) ?? NO_BACKEND;
  }
  generation(id: number): number {
    return this.generations.get(id) ?? 0;
  }
  raiseGeneration(id: number): void {
    this.generations.set(id, this.generation(id) + 1);
    this.lists.set(id, 0);
  }
  setLists(id: number, lists: number): void {
    this.lists.set(id, lists);
  }
  publish(rows: readonly { readonly key: string; readonly frontend: Frontend }[]): void {
    for (const { key, frontend } of rows) {
      if (!this.rows.has(key) && this.rows.size === this.frontendRows) throw new Error('E2BIG: the rows before it are written');
      this.rows.set(key, frontend);
      this.log.push(`publish ${nameOf(key)}`);
    }
  }
  withdraw(keys: readonly string[]): void {
    for (const key of keys) {
      this.rows.delete(key);
      this.log.push(`withdraw ${nameOf(key)}`);
    }
  }
  name(id: number, name: ServiceName): void {
    this.serviceNames.set(id, name);
  }
  #addressesOf(flag: ServiceAddressFlag): string[] {
    return flag === AddressFlag.LB_ADDRESS_EXTERNAL ? this.externalIPs : this.clusterIPs;
  }

  forgetName(id: number): void {
    this.serviceNames.delete(id);
  }
  zeroServiceStats(id: number): void {
    this.zeroed.push(id);
  }
  zeroBackendStats(): void {}
  *frontends(): ReturnType<ServiceTables['frontends']> {
    for (const [key, frontend] of this.rows) yield { key, frontendKey: readFrontendKey(keyBytes(key)), frontend };
  }
  names(): Map<number, ServiceName> {
    return this.serviceNames;
  }
}

function nameOf(key: string): string {
  const { address, port } = readFrontendKey(keyBytes(key));
  return `${addressText(address)}:${port}`;
}
