// Programs on devices and cgroups, held by pinned links: they outlive the process, and the next one swaps its programs in.
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { AttachPoint, LinkInfo } from '../../native/addon.ts';
import { listTcxPrograms } from '../../native/attached-programs.ts';
import { BpfLink } from '../../native/bpf-link.ts';
import type { BpfObject } from '../../native/bpf-object.ts';
import type { BpfProgram } from '../../native/bpf-program.ts';
import { Netlink } from '../../native/netlink.ts';
import { unpin } from '../../native/system.ts';
import { type PinFolder, pinNames } from './pins.ts';

export type Direction = 'ingress' | 'egress';
/** 'host': those of the node's end of the host's port. */
export type DevicePrograms = 'tc' | 'host';
export const DIRECTIONS: readonly Direction[] = ['ingress', 'egress'];
export const SOCKET_PROGRAMS = [
  'connect4',
  'connect6',
  'sendmsg4',
  'sendmsg6',
  'recvmsg4',
  'recvmsg6',
  'getpeername4',
  'getpeername6',
  'sock_release',
] as const;

/** A clsact filter of ours: 't', 'u' as the handle, so that no other filter is touched. */
const CLSACT = { priority: 1, handle: 0x7475 } as const;

export const tcPinName = (ifindex: number, direction: Direction): string => `tc_${ifindex}_${direction}`;
export const cgroupPinName = (program: string): string => `cgroup_${program}`;
const TC_PIN = /^tc_(\d+)_(ingress|egress)$/;

const clsactPoint = (ifindex: number, direction: Direction) => ({ kind: 'clsact', ifindex, direction, ...CLSACT }) as const;

/** Invariant: a pinned link of ours runs a program of `object`, or is about to be removed. */
export class Hooks {
  readonly #object: BpfObject;
  readonly #pins: PinFolder;
  #usesClsact = false;

  constructor(object: BpfObject, pins: PinFolder) {
    this.#object = object;
    this.#pins = pins;
  }

  /** 'tcx', or 'clsact' where the kernel does not know tcx (before 6.6). Known after the first device. */
  get attachKind(): 'tcx' | 'clsact' {
    return this.#usesClsact ? 'clsact' : 'tcx';
  }

  /** Hooks a device, or swaps the programs of its links. */
  attachDevice(ifindex: number, programs: DevicePrograms = 'tc'): void {
    for (const direction of DIRECTIONS) {
      const program = this.#object.program(`${programs}_${direction}`);
      const pin = join(this.#pins.links, tcPinName(ifindex, direction));
      if (this.#updatePinned(pin, program, isOnDevice(ifindex, direction))) continue;
      if (!this.#usesClsact && this.#attachPinned(pin, program, { kind: 'tcx', ifindex, direction })) continue;
      // Not known by version but by trying: clsact works where tcx was refused.
      program.attach(clsactPoint(ifindex, direction)).close();
      this.#usesClsact = true;
    }
  }

  /** Devices that are hooked by this process or an earlier one. Of those with pinned links also the ones that no longer exist. */
  hookedDevices(): Set<number> {
    const pinned = pinNames(this.#pins.links).flatMap((name) => Number(TC_PIN.exec(name)?.[1] ?? 0) || []);
    const filtered = this.#usesClsact ? [...clsactDevices().keys()] : [];
    return new Set([...pinned, ...filtered]);
  }

  detachDevice(ifindex: number): void {
    for (const direction of DIRECTIONS) {
      const pin = join(this.#pins.links, tcPinName(ifindex, direction));
      if (existsSync(pin)) detachPinned(pin);
      else if (this.#usesClsact) detachClsact(ifindex, direction);
    }
  }

  attachCgroup(path: string): void {
    const cgroupId = statSync(path, { bigint: true }).ino;
    for (const name of SOCKET_PROGRAMS) {
      const program = this.#object.program(name);
      const pin = join(this.#pins.links, cgroupPinName(name));
      if (this.#updatePinned(pin, program, (info) => info.cgroupId === cgroupId)) continue;
      const link = program.attach({ kind: 'cgroup', path });
      link.pin(pin);
      link.close();
    }
  }

  /** What is wrong with the programs of a device that should be hooked; nothing: both are ours and in force. */
  deviceFaults(ifindex: number, programs: DevicePrograms): string[] {
    return DIRECTIONS.flatMap((direction) => {
      const program = this.#object.program(`${programs}_${direction}`);
      const pin = join(this.#pins.links, tcPinName(ifindex, direction));
      const fault =
        this.#usesClsact && !existsSync(pin)
          ? clsactFault(ifindex, direction, program)
          : linkFault(pin, program, isOnDevice(ifindex, direction));
      return fault === '' ? [] : [`${direction}: ${fault}`];
    });
  }

  /** The same of the socket programs. */
  cgroupFaults(path: string): string[] {
    const cgroupId = statSync(path, { bigint: true }).ino;
    return SOCKET_PROGRAMS.flatMap((name) => {
      const pin = join(this.#pins.links, cgroupPinName(name));
      const fault = linkFault(pin, this.#object.program(name), (info) => info.cgroupId === cgroupId);
      return fault === '' ? [] : [`${name}: ${fault}`];
    });
  }

  detachCgroup(): void {
    for (const name of SOCKET_PROGRAMS) {
      const pin = join(this.#pins.links, cgroupPinName(name));
      if (existsSync(pin)) detachPinned(pin);
    }
  }

  /** True when a live link of the right place was there. A dead one (its device is gone, its cgroup another) is removed. */
  #updatePinned(pin: string, program: BpfProgram, isRightPlace: (info: LinkInfo) => boolean): boolean {
    if (!existsSync(pin)) return false;
    const link = BpfLink.openPinned(pin);
    try {
      if (isRightPlace(link.info())) {
        link.update(program);
        return true;
      }
    } finally {
      link.close();
    }
    detachPinned(pin);
    return false;
  }

  /** False when the kernel refuses tcx links as such. */
  #attachPinned(pin: string, program: BpfProgram, point: AttachPoint): boolean {
    let link: BpfLink;
    try {
      link = program.attach(point);
    } catch (error) {
      if (['EINVAL', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS'].includes((error as { code?: string }).code ?? '')) return false;
      throw error;
    }
    link.pin(pin);
    link.close();
    return true;
  }
}

/** A link follows its device into another namespace and names its number still, which may be another device's here: so the device is asked. */
const isOnDevice =
  (ifindex: number, direction: Direction) =>
  (info: LinkInfo): boolean =>
    info.ifindex === ifindex && listTcxPrograms(ifindex, direction).some(({ linkId }) => linkId === info.id);

/** '' : the link is attached where it should be, and runs this very program. */
function linkFault(pin: string, program: BpfProgram, isRightPlace: (info: LinkInfo) => boolean): string {
  if (!existsSync(pin)) return 'the pin of the link is gone';
  const link = BpfLink.openPinned(pin);
  try {
    const info = link.info();
    if (!isRightPlace(info)) return info.ifindex === 0 && info.cgroupId === 0n ? 'the link is detached' : 'the link is elsewhere';
    return info.programId === program.id ? '' : `the link runs program ${info.programId}, which is not ours`;
  } finally {
    link.close();
  }
}

function clsactFault(ifindex: number, direction: Direction, program: BpfProgram): string {
  try {
    const filter = BpfLink.openClsact(clsactPoint(ifindex, direction));
    const { programId } = filter.info();
    filter.close();
    return programId === program.id ? '' : `the filter runs program ${programId}, which is not ours`;
  } catch (error) {
    if (!['ENOENT', 'ENODEV', 'EINVAL'].includes((error as { code?: string }).code ?? '')) throw error;
    return 'the filter is gone';
  }
}

/** Detaches a link and removes its pin. */
export function detachPinned(pin: string): void {
  const link = BpfLink.openPinned(pin);
  try {
    link.detach();
  } catch (error) {
    if (!['ENOLINK', 'EINVAL'].includes((error as { code?: string }).code ?? '')) throw error; // its device or cgroup is gone
  } finally {
    link.close();
  }
  unpin(pin);
}

function detachClsact(ifindex: number, direction: Direction): void {
  try {
    const filter = BpfLink.openClsact(clsactPoint(ifindex, direction));
    filter.detach();
    filter.close();
  } catch {
    // Not there: nothing to detach.
  }
}

/** Devices with clsact filters of ours, as the kernel shows them: ifindex -> directions. A filter has no pin that would tell. */
export function clsactDevices(): Map<number, Direction[]> {
  const found = new Map<number, Direction[]>();
  for (const { ifindex } of Netlink.listDevices()) {
    const directions = DIRECTIONS.filter((direction) => isClsactHooked(ifindex, direction));
    if (directions.length > 0) found.set(ifindex, directions);
  }
  return found;
}

function isClsactHooked(ifindex: number, direction: Direction): boolean {
  try {
    BpfLink.openClsact(clsactPoint(ifindex, direction)).close();
    return true;
  } catch {
    return false; // no such filter, or the device went meanwhile
  }
}

/** The kernel's id of the program behind our filter; 0 when there is none. */
export function clsactProgramId(ifindex: number, direction: Direction): number {
  try {
    const filter = BpfLink.openClsact(clsactPoint(ifindex, direction));
    const { programId } = filter.info();
    filter.close();
    return programId;
  } catch {
    return 0; // no such filter, or the device went meanwhile
  }
}

/** Removes our clsact filters from every device; none is no fault. For kernels without tcx. */
export function detachAllClsact(): void {
  for (const { ifindex } of Netlink.listDevices()) for (const direction of DIRECTIONS) detachClsact(ifindex, direction);
}
