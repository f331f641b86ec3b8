// The only loader of turnout.node, and the types of what it exports. Everything here is called by the wrappers beside this file,
// which check arguments first: C++ only asserts.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import type {
  AttachedProgram,
  AttachPoint,
  LinkInfo,
  MapDescription,
  NetlinkAddress,
  NetlinkDevice,
  NetlinkEvent,
  NetlinkRoute,
  ObjectDescription,
  TestRunInput,
  TestRunResult,
  UdpSocket,
} from './addon.ts';
import { BpfError } from './bpf-error.ts';

export interface RawObject {
  describe(): ObjectDescription;
  setVariable(name: string, bytes: Uint8Array): void;
  setMaxEntries(map: string, maxEntries: number): void;
  reuseMap(map: string, pinned: RawMap): void;
  setAutoload(program: string, on: boolean): void;
  load(): Promise<void>;
  map(name: string): RawMap;
  program(name: string): RawProgram;
  close(): void;
}

export interface MapProperties {
  id: number;
  name: string;
  type: number;
  keySize: number;
  valueSize: number;
  rowSize: number;
  maxEntries: number;
  flags: number;
  isPerCpu: boolean;
}

export interface RawMap {
  properties(): MapProperties;
  describe(): MapDescription;
  get(key: Uint8Array): Uint8Array | null;
  set(key: Uint8Array, value: Uint8Array, flags: number): void;
  delete(key: Uint8Array): boolean;
  keys(): Uint8Array;
  getBatch(limit: number): { count: number; keys: Uint8Array; values: Uint8Array };
  getSlice(
    position: Uint8Array | null,
    limit: number,
  ): { count: number; keys: Uint8Array; values: Uint8Array; next: Uint8Array | null };
  setBatch(keys: Uint8Array, values: Uint8Array, count: number): void;
  deleteBatch(keys: Uint8Array, count: number): number;
  mmap(): Uint8Array;
  pin(path: string): void;
  close(): void;
}

export interface RawProgram {
  properties(): { id: number; name: string; type: number; tag: string };
  mapIds(): number[];
  testRun(input: TestRunInput): TestRunResult;
  testRunAsync(input: TestRunInput): Promise<TestRunResult>;
  pin(path: string): void;
  close(): void;
}

export interface RawLink {
  info(): LinkInfo;
  update(program: RawProgram): void;
  pin(path: string): void;
  detach(): void;
  close(): void;
}

export interface RawTcFilter {
  info(): LinkInfo;
  update(program: RawProgram): void;
  detach(): void;
}

type ClsactPoint = Extract<AttachPoint, { kind: 'clsact' }>;

export interface Addon {
  setErrorClass(errorClass: typeof BpfError): void;
  Object: new (path: string) => RawObject;
  Map: new (pinPathOrId: string | number) => RawMap;
  Program: new (pinPathOrId: string | number) => RawProgram;
  Link: { new (pinPath: string): RawLink; new (program: RawProgram, point: AttachPoint): RawLink };
  TcFilter: new (program: RawProgram | null, point: ClsactPoint) => RawTcFilter;
  RingBuffer: new (map: RawMap, onRecords: (records: Uint8Array[]) => void) => { close(): void };
  NetlinkFollower: new (onEvents: (events: NetlinkEvent[]) => void, receiveBufferBytes: number) => { close(): void };
  listDevices(): NetlinkDevice[];
  listAddresses(): NetlinkAddress[];
  listRoutes(): NetlinkRoute[];
  listConnectedUdp(): UdpSocket[];
  destroyUdp(socket: UdpSocket): void;
  listTcxPrograms(ifindex: number, isIngress: boolean): AttachedProgram[];
  mountBpffs(path: string): void;
  isBpffs(path: string): boolean;
  unlinkPin(path: string): void;
  netnsCookie(): bigint;
  possibleCpus(): number;
  monotonicNs(): bigint;
}

/** Where turnout.node may be: beside the bundle in dist/, or where `make build` puts it in the repository. */
export function addonCandidates(folder: string): string[] {
  return [join(folder, 'turnout.node'), join(folder, '../../build/native/Release/turnout.node')];
}

/** Loads the first candidate that loads. Throws BpfError ENOADDON that says what was tried and what to do. */
export function loadAddon(candidates: string[]): Addon {
  const require = createRequire(import.meta.url);
  const tried: string[] = [];
  for (const path of candidates) {
    try {
      const addon = require(path) as Addon;
      addon.setErrorClass(BpfError);
      return addon;
    } catch (error) {
      tried.push(`${path}: ${String((error as Error).message).split('\n', 1)[0]}`);
    }
  }
  throw new BpfError(
    'ENOADDON',
    'loadAddon',
    `turnout.node does not load; build it with \`make build\`, and see that libelf1, zlib1g and libmnl0 are installed. Tried:\n  ${tried.join('\n  ')}\n`,
    tried.join('\n'),
  );
}

let loaded: Addon | undefined;

/** The addon, loaded at first use: importing a wrapper costs nothing and cannot fail. */
export function addon(): Addon {
  loaded ??= loadAddon(addonCandidates(import.meta.dirname));
  return loaded;
}
