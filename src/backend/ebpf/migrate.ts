// A start with another layout or other table sizes: what the old tables hold is copied, field by field, before programs are
// swapped, and what came in between is copied after. Then the old folder goes.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Rewrite, RewriteFlag, readFlowState, readRewrite, writeRewrite } from '../../datapath/layout.gen.ts';
import type { Logger } from '../../log.ts';
import type { MapDescription } from '../../native/addon.ts';
import { BpfLink } from '../../native/bpf-link.ts';
import { BpfMap } from '../../native/bpf-map.ts';
import type { BpfObject } from '../../native/bpf-object.ts';
import { unpin } from '../../native/system.ts';
import { copyFields, type FieldCopy, fieldCopies } from './field-copy.ts';
import { FlowRows } from './flow-rows.ts';
import { BUSY, FlowStates, flowName } from './flow-states.ts';
import { detachPinned } from './hooks.ts';
import { type PinFolder, pinNames, removePinFolder } from './pins.ts';

/** In this order: what a row refers to is there before it. Sockets' storage lives with the sockets and cannot be copied. */
const COPIED = [
  'backend_states',
  'backends',
  'service_names',
  'service_stats',
  'backend_stats',
  'source_ranges',
  'frontends',
  'addresses',
  'service_cidrs',
  'affinity',
  'host_aliases',
  'flow_states',
  'flows',
  'counters',
  'udp_sockets',
] as const;
/** Written by programs, so they may change between the copy and the swap: new flows are added, and others caught up with. */
const COPIED_AGAIN = ['flow_states', 'flows', 'udp_sockets'] as const;
const ARRAY = 2;
const PERCPU_ARRAY = 6;

export interface Migration {
  /** Gives the old folder's links to the new one; their programs are swapped when the hooks are attached. */
  adoptLinks(): void;
  /** Copies what came in between, and removes the old folder. */
  finish(): void;
}

/** Copies at once. `object` is loaded with new, empty tables. */
export function migrateFrom(old: PinFolder, pins: PinFolder, object: BpfObject, logger: Logger): Migration {
  const descriptions = new Map(object.describe().maps.map((map) => [map.name, map]));
  const place = flowPlacer(object.map('flow_states'));
  const copy = (name: string, mode: 'any' | 'new'): number =>
    copyMap(join(old.maps, name), object.map(name), descriptions.get(name), mode, place);
  let rows = 0;
  // Entries of flows may be newer here, where an earlier start had come as far as to swap programs.
  for (const name of COPIED) rows += copy(name, name === 'flows' ? 'new' : 'any');
  logger.info('Tables of another layout were taken over', { from: old.path, to: pins.path, rows });
  return {
    adoptLinks: () => {
      for (const name of pinNames(old.links)) adoptLink(join(old.links, name), join(pins.links, name));
    },
    finish: () => {
      let late = 0;
      for (const name of COPIED_AGAIN) late += copy(name, 'new');
      removePinFolder(old);
      logger.info('Programs were swapped', { lateRows: late });
    },
  };
}

function adoptLink(from: string, to: string): void {
  if (existsSync(to)) return detachPinned(from);
  const link = BpfLink.openPinned(from);
  link.pin(to);
  link.close();
  unpin(from);
}

/** Says where a row goes, and corrects it in place; false: it does not go anywhere. Both are as the new table has them. */
type Placer = (map: string, key: Uint8Array, value: Uint8Array) => boolean;

/** A flow keeps its row where it can; entries follow their flow. */
function flowPlacer(states: BpfMap): Placer {
  const table = new FlowStates(states);
  const rows = new FlowRows(states.maxEntries, (row) => table.claim(row) === 0);
  const earlier = table.known(); // of a start that did not come to its end
  return (map, key, value) => {
    if (map === 'flow_states') {
      const state = readFlowState(value);
      const row = indexOf(key);
      if (state.claim === 0 || state.claim === BUSY) return false; // a row that was given back, or is being filled
      const copied = rows.given(row, state.claim) ?? earlier.get(flowName(state)) ?? null;
      if (copied !== null) {
        rows.note(row, state.claim, copied);
        table.catchUp(copied, state);
        return false;
      }
      const given = rows.take(row, state.claim);
      if (given !== null) new DataView(key.buffer, key.byteOffset).setUint32(0, given, true);
      return given !== null;
    }
    if (map === 'flows') {
      const entry = readRewrite(value);
      const flowId = rows.given(entry.flowId, entry.claim);
      if (flowId !== null) writeRewrite(value, 0, { ...entry, flowId });
      return flowId !== null; // null: a leftover of a flow that is gone, or of one that found no row
    }
    return true;
  };
}

/** mode 'new': only rows that are not there yet. Returns how many rows were written. */
function copyMap(path: string, target: BpfMap, to: MapDescription | undefined, mode: 'any' | 'new', place: Placer): number {
  if (!existsSync(path) || !to) return 0;
  const source = BpfMap.openPinned(path);
  try {
    const from = source.describe();
    const isArray = source.type === ARRAY || source.type === PERCPU_ARRAY;
    const keys = fieldCopies(from.key, to.key, source.keySize);
    const values = fieldCopies(from.value, to.value, source.valueSize);
    const slots = source.rowSize / strideOf(source.valueSize, source.type);
    const { count, keys: allKeys, values: allValues } = source.getBatch();
    let written = 0;
    for (let i = 0; i < count; i++) {
      const key = copyFields(allKeys.subarray(i * source.keySize, (i + 1) * source.keySize), keys, target.keySize);
      const row = allValues.subarray(i * source.rowSize, (i + 1) * source.rowSize);
      if (isArray && isZero(row)) continue;
      const value = copySlots(row, values, slots, source, target);
      if (!place(to.name, key, value) || (isArray && indexOf(key) >= target.maxEntries)) continue;
      if (writeRow(target, key, value, mode === 'new' && !isArray)) written++;
      else if (to.name === 'flows' && isResolvedMeanwhile(target.get(key), value)) target.set(key, value);
    }
    return written;
  } finally {
    source.close();
  }
}

const strideOf = (valueSize: number, type: number): number => (type === PERCPU_ARRAY ? (valueSize + 7) & ~7 : valueSize);

function copySlots(row: Uint8Array, values: readonly FieldCopy[], slots: number, source: BpfMap, target: BpfMap): Uint8Array {
  const value = new Uint8Array(target.rowSize);
  const fromStride = strideOf(source.valueSize, source.type);
  const toStride = strideOf(target.valueSize, target.type);
  for (let slot = 0; slot < slots && (slot + 1) * toStride <= value.length; slot++) {
    const copied = copyFields(row.subarray(slot * fromStride, slot * fromStride + source.valueSize), values, target.valueSize);
    value.set(copied, slot * toStride);
  }
  return value;
}

/** The first copy has an entry that waits for its source; without it a masqueraded flow would get another port. */
function isResolvedMeanwhile(copied: Uint8Array | null, value: Uint8Array): boolean {
  if (!copied) return false;
  const [before, after] = [readRewrite(copied), readRewrite(value)];
  const isPending = ({ flags }: Rewrite): boolean => (flags & RewriteFlag.LB_REWRITE_PENDING) !== 0;
  return before.claim === after.claim && isPending(before) && !isPending(after);
}

/** False when the row is there already, or does not fit into a smaller table: a flow is then lost and told by its counter. */
function writeRow(target: BpfMap, key: Uint8Array, value: Uint8Array, onlyNew: boolean): boolean {
  try {
    target.set(key, value, onlyNew ? 'new' : 'any');
    return true;
  } catch (error) {
    if (['EEXIST', 'E2BIG', 'ENOSPC'].includes((error as { code?: string }).code ?? '')) return false;
    throw error;
  }
}

const isZero = (bytes: Uint8Array): boolean => bytes.every((octet) => octet === 0);
const indexOf = (key: Uint8Array): number => new DataView(key.buffer, key.byteOffset, 4).getUint32(0, true);
