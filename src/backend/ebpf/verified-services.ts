// The tables of Services as they should be, out of what the programmer knows to be programmed.
import { addressOctets, endpointText } from '../../datapath/address.ts';
import { u32Bytes, viewOf } from '../../datapath/bytes.ts';
import {
  BackendFlag,
  BackendList,
  type Frontend,
  LB_BACKEND_SIZE,
  LB_BACKEND_STATE_SIZE,
  LB_FRONTEND_SIZE,
  LB_SERVICE_NAME_SIZE,
  readBackend,
  readFrontend,
  readFrontendKey,
  readServiceName,
  writeBackend,
  writeFrontend,
  writeServiceName,
} from '../../datapath/layout.gen.ts';
import type { BpfMap } from '../../native/bpf-map.ts';
import { frontendOf, LISTS, type Programmed, type ProgrammedUnit } from './programmed-unit.ts';
import { PROTOCOL_NUMBERS, protocolName } from './rows.ts';
import { keyBytes, keyText } from './service-tables.ts';
import { type ExpectedRow, hashTable, isSameOctets, type VerifiedTable } from './verified-table.ts';

const FAMILIES = ['IPv4', 'IPv6'];
const UNIT_KEY = /^([^/]*)\/(.*):([^:/]*)\/[^/]+\/[^/]+$/;

const rowKey = (row: number): string => keyText(u32Bytes(row));
const rowOf = (key: string): number => viewOf(keyBytes(key)).getUint32(0, true);

/** frontends, backends, backend_states and service_names. `programmed` changes with every sync. */
export function verifiedServices(object: { map(name: string): BpfMap }, programmed: Programmed): VerifiedTable[] {
  return [
    frontends(object.map('frontends'), programmed),
    backends(object.map('backends'), programmed),
    backendStates(object.map('backend_states'), programmed),
    serviceNames(object.map('service_names'), programmed),
  ];
}

function frontends(map: BpfMap, programmed: Programmed): VerifiedTable {
  const octets = (frontend: Frontend): Uint8Array => {
    const value = new Uint8Array(LB_FRONTEND_SIZE);
    writeFrontend(value, 0, frontend);
    return value;
  };
  /** Rows of a former process that belong to nobody have an owner that is no unit, until the first sync removes them. */
  const expected = (key: string): Uint8Array | null | undefined => {
    const frontend = frontendOf(programmed, key);
    if (frontend) return octets(frontend);
    return programmed.owners.has(key) ? undefined : null;
  };
  return hashTable({
    map,
    *rows(): Generator<ExpectedRow> {
      for (const key of programmed.owners.keys()) {
        const frontend = frontendOf(programmed, key);
        if (frontend) yield { key, value: octets(frontend) };
      }
    },
    expected,
    // The generation is for people; a crash between two batches leaves rows of one unit with different ones.
    isSame: (a, b) => isSameOctets(a, b) || textOf(readFrontend(a)) === textOf(readFrontend(b)),
    describe: (key) => {
      const { address, port, protocol } = readFrontendKey(keyBytes(key));
      const owner = programmed.owners.get(key);
      return `${endpointText({ address, port })}/${protocolName(protocol) ?? protocol}${owner ? ` of ${owner}` : ''}`;
    },
    show: (value) => textOf(readFrontend(value)),
  });

  function textOf(frontend: Frontend): string {
    const lists = LISTS.map((list) => `${list} ${frontend[list].base}+${frontend[list].count}`).join(', ');
    return `service ${frontend.serviceId}, ${lists}, flags ${frontend.flags}, affinity ${frontend.affinitySeconds} s`;
  }
}

/** An array: rows that are in no list are found by no reader, whatever is in them. */
function backends(map: BpfMap, programmed: Programmed): VerifiedTable {
  const memory = map.mmap();
  const at = (key: string): number => rowOf(key) * LB_BACKEND_SIZE;
  const owners = new Map<number, string>(); // rows of the unit that is being looked at, for people
  return {
    ...arrayTable('backends', memory, LB_BACKEND_SIZE),
    *rows(): Generator<ExpectedRow> {
      for (const [unitKey, unit] of programmed.units) {
        for (const name of LISTS) {
          const { key: text, extent } = unit[name];
          const endpoints = text === '' ? [] : text.split(',');
          for (const [i, endpoint] of endpoints.entries()) {
            if (programmed.units.get(unitKey) !== unit) break; // it has another list now
            owners.clear();
            owners.set(extent.base + i, `${name} endpoint ${i} of ${unitKey}`);
            yield { key: rowKey(extent.base + i), value: backendOctets(unit, endpoint) };
          }
        }
      }
    },
    /** Without its tag the row is no endpoint to a reader until all of it is there. */
    write: (key, value) => {
      const row = memory.subarray(at(key), at(key) + LB_BACKEND_SIZE);
      writeBackend(row, 0, { ...readBackend(row, 0), serviceId: 0 });
      const backend = readBackend(value, 0);
      writeBackend(row, 0, { ...backend, serviceId: 0 });
      writeBackend(row, 0, backend);
    },
    describe: (key) => `row ${rowOf(key)}: ${owners.get(rowOf(key)) ?? 'no list'}`,
    show: (value) => {
      const { address, port, flags, serviceId, backendId, generation } = readBackend(value, 0);
      const isLocal = flags & BackendFlag.LB_BACKEND_LOCAL ? ', local' : '';
      return `${endpointText({ address, port })}, service ${serviceId}, backend ${backendId}, generation ${generation}${isLocal}`;
    },
  };
}

/** A list's key names its endpoints: '10.244.1.1 80 local' (rows.ts). */
function backendOctets(unit: ProgrammedUnit, endpoint: string): Uint8Array {
  const [ip = '', port = '', local] = endpoint.split(' ');
  const { id, generation } = unit.backends.get(`${ip} ${port}`) ?? { id: 0, generation: 0 };
  const flags = local === 'local' ? BackendFlag.LB_BACKEND_LOCAL : 0;
  const value = new Uint8Array(LB_BACKEND_SIZE);
  const backend = { address: addressOctets(ip), port: Number(port), flags, serviceId: unit.serviceId, backendId: id, generation };
  writeBackend(value, 0, backend);
  return value;
}

function backendStates(map: BpfMap, programmed: Programmed): VerifiedTable {
  const memory = map.mmap();
  const view = viewOf(memory);
  const owners = new Map<number, string>();
  return {
    ...arrayTable('backend_states', memory, LB_BACKEND_STATE_SIZE),
    *rows(): Generator<ExpectedRow> {
      for (const [unitKey, unit] of programmed.units) {
        const lists = unit.affinitySeconds > 0 ? listsOf(unit) : null;
        for (const [endpoint, { id, generation }] of unit.backends) {
          if (programmed.units.get(unitKey) !== unit) break;
          const value = new Uint8Array(LB_BACKEND_STATE_SIZE);
          viewOf(value).setUint32(0, generation, true);
          // Without affinity nobody asks for the lists, and nobody keeps them up to date.
          const held = view.getUint32(id * LB_BACKEND_STATE_SIZE + 4, true);
          viewOf(value).setUint32(4, lists ? (lists.get(endpoint) ?? 0) : held, true);
          owners.clear();
          owners.set(id, `${endpoint} of ${unitKey}`);
          yield { key: rowKey(id), value };
        }
      }
    },
    /** Both in one store, as readers take them. */
    write: (key, value) => view.setBigUint64(rowOf(key) * LB_BACKEND_STATE_SIZE, viewOf(value).getBigUint64(0, true), true),
    describe: (key) => `backend ${rowOf(key)}: ${owners.get(rowOf(key)) ?? 'no endpoint'}`,
    show: (value) => `generation ${viewOf(value).getUint32(0, true)}, lists ${viewOf(value).getUint32(4, true)}`,
  };
}

/** Which lists (enum lb_backend_list) have each endpoint. */
function listsOf({ cluster, local }: ProgrammedUnit): Map<string, number> {
  const lists = new Map<string, number>();
  const add = (key: string, flag: number): void => {
    for (const text of key === '' ? [] : key.split(',')) {
      const endpoint = text.replace(/ local$/, '');
      lists.set(endpoint, (lists.get(endpoint) ?? 0) | flag);
    }
  };
  add(cluster.key, BackendList.LB_LIST_CLUSTER);
  add(local.key, BackendList.LB_LIST_LOCAL);
  return lists;
}

function serviceNames(map: BpfMap, programmed: Programmed): VerifiedTable {
  const octets = (unitKey: string): Uint8Array => {
    const [, namespaceName = '', name = '', portName = ''] = UNIT_KEY.exec(unitKey) ?? [];
    const value = new Uint8Array(LB_SERVICE_NAME_SIZE);
    writeServiceName(value, 0, { namespaceName, name, portName });
    return value;
  };
  const unitOf = (serviceId: number): string | null => {
    for (const [key, unit] of programmed.units) if (unit.serviceId === serviceId) return key;
    return null;
  };
  return hashTable({
    map,
    *rows(): Generator<ExpectedRow> {
      for (const [unitKey, { serviceId }] of programmed.units) yield { key: rowKey(serviceId), value: octets(unitKey) };
    },
    /** By the name that is there, without an index; only one that leads to no unit is looked for in all of them. */
    expected: (key) => {
      const serviceId = rowOf(key);
      const value = map.get(keyBytes(key));
      if (value) {
        const { namespaceName, name, portName } = readServiceName(value, 0);
        const isKnown = Object.keys(PROTOCOL_NUMBERS).some((protocol) =>
          FAMILIES.some(
            (family) =>
              programmed.units.get(`${namespaceName}/${name}:${portName}/${protocol}/${family}`)?.serviceId === serviceId,
          ),
        );
        if (isKnown) return value;
      }
      const unitKey = unitOf(serviceId);
      return unitKey === null ? null : octets(unitKey);
    },
    describe: (key) => `service ${rowOf(key)}${unitOf(rowOf(key)) === null ? '' : ` of ${unitOf(rowOf(key))}`}`,
    show: (value) => {
      const { namespaceName, name, portName } = readServiceName(value, 0);
      return `${namespaceName}/${name}:${portName}`;
    },
  });
}

/** Rows of an array cannot be missing, nor too many. */
function arrayTable(
  name: string,
  memory: Uint8Array,
  rowSize: number,
): Pick<VerifiedTable, 'name' | 'expected' | 'read' | 'remove' | 'isSame'> {
  return {
    name,
    expected: () => undefined,
    read: (key) => memory.subarray(rowOf(key) * rowSize, (rowOf(key) + 1) * rowSize),
    remove: () => {},
    isSame: isSameOctets,
  };
}
