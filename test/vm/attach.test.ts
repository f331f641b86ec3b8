// Every program loads on this kernel and attaches: to a device by tcx, by clsact where the kernel has no tcx, and to a cgroup.
import { mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cgroup2Mount } from '../../lab/lab.ts';
import { run, succeeds } from '../../lab/shell.ts';
import { cleanupEbpf } from '../../src/backend/ebpf/cleanup.ts';
import { Hooks, SOCKET_PROGRAMS } from '../../src/backend/ebpf/hooks.ts';
import { makePinFolder, type PinFolder, pinFolder } from '../../src/backend/ebpf/pins.ts';
import { loadObject, objectPath } from '../../src/datapath/object-file.ts';
import type { BpfObject } from '../../src/native/bpf-object.ts';
import { Netlink } from '../../src/native/netlink.ts';
import { mountBpffs } from '../../src/native/system.ts';
import { configured } from '../datapath/datapath.ts';

/** tcx came with Linux 6.6. */
const [major = 0, minor = 0] = release().split('.').map(Number);
const hasTcx = major > 6 || (major === 6 && minor >= 6);

const id = `vm${process.pid}`;
const [device, peer] = [`${id}a`, `${id}b`];
const cgroup = join(cgroup2Mount(), id);
const bpffs = mkdtempSync(join(tmpdir(), `turnout-${id}-`));
let pins: PinFolder;
let object: BpfObject;
let hooks: Hooks;

const ifindexOf = (name: string): number => Netlink.listDevices().find((one) => one.name === name)?.ifindex ?? 0;

/** What tc shows at the device: our filters on clsact, nothing where tcx links hold the programs. */
const filters = (direction: string): string => run('tc', 'filter', 'show', 'dev', device, direction);

beforeAll(async () => {
  mountBpffs(bpffs);
  pins = pinFolder(bpffs, 'vm');
  makePinFolder(pins);
  run('ip', 'link', 'add', device, 'type', 'veth', 'peer', 'name', peer);
  mkdirSync(cgroup);
  const { config, sizes } = configured({});
  object = await loadObject(objectPath(), { config, sizes, pinnedMaps: pins.maps });
  hooks = new Hooks(object, pins);
});
afterAll(() => {
  object?.close();
  succeeds('ip', 'link', 'delete', device);
  rmdirSync(cgroup);
  run('umount', '--lazy', bpffs);
  rmSync(bpffs, { recursive: true, force: true });
});

describe('on this kernel', () => {
  test('every program of the object is loaded', () => {
    const names = object.describe().programs.flatMap(({ name }) => (name === 'explain_socket' ? [] : [name]));
    for (const name of names) expect(object.program(name)).toBeDefined();
    console.log(`    loaded: ${names.length} programs`);
  });

  test(`a device is hooked by ${hasTcx ? 'tcx' : 'clsact'}, twice without harm`, () => {
    hooks.attachDevice(ifindexOf(device));
    hooks.attachDevice(ifindexOf(device));
    console.log(`    attached to devices by: ${hooks.attachKind}`);
    expect(hooks.attachKind).toBe(hasTcx ? 'tcx' : 'clsact');
    expect(readdirSync(pins.links)).toHaveLength(hasTcx ? 2 : 0);
    for (const direction of ['ingress', 'egress']) {
      expect(filters(direction).match(/pref 1 bpf .*handle 0x7475/g)?.length ?? 0).toBe(hasTcx ? 0 : 1);
    }
  });

  test('a device of an earlier process is known and can be given up', () => {
    const successor = new Hooks(object, pins);
    successor.attachDevice(ifindexOf(peer));
    expect(successor.hookedDevices()).toEqual(new Set([ifindexOf(device), ifindexOf(peer)]));
    successor.detachDevice(ifindexOf(device));
    expect(successor.hookedDevices()).toEqual(new Set([ifindexOf(peer)]));
    expect(filters('ingress')).toBe('');
  });

  test('a cgroup gets all socket programs', () => {
    hooks.attachCgroup(cgroup);
    hooks.attachCgroup(cgroup);
    const pinned = readdirSync(pins.links).filter((name) => name.startsWith('cgroup_'));
    console.log(`    attached to a cgroup by link: ${pinned.length} programs`);
    expect(pinned).toHaveLength(SOCKET_PROGRAMS.length);
  });

  test('cleanup leaves nothing behind', async () => {
    hooks.attachDevice(ifindexOf(device));
    await cleanupEbpf(bpffs);
    expect(new Hooks(object, pins).hookedDevices()).toEqual(new Set());
    for (const direction of ['ingress', 'egress']) expect(filters(direction)).toBe('');
  });
});
