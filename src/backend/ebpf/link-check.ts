// Are our programs where they should be? A link that was detached, replaced or removed is attached again as soon as it is seen.
import { reasonOf } from '../../errors.ts';
import { Netlink } from '../../native/netlink.ts';
import type { DevicePrograms, Hooks } from './hooks.ts';
import type { Drift } from './verify.ts';

export interface LinkPlaces {
  readonly hooks: Pick<Hooks, 'deviceFaults' | 'attachDevice' | 'cgroupFaults' | 'attachCgroup'>;
  readonly devices: () => readonly { ifindex: number; programs: DevicePrograms }[];
  readonly cgroup: string; // '' : the socket path is off
  readonly deviceName?: (ifindex: number) => string | null; // null: there is no such device any more
}

const PLACES = 32; // looked at between two chances for others to run: some hundred microseconds

const nameOf = (ifindex: number): string | null =>
  Netlink.listDevices().find((device) => device.ifindex === ifindex)?.name ?? null;

/** Yields after each part how many places it looked at. */
export function* checkLinks(places: LinkPlaces, onDrift: (drift: Drift) => void): Generator<number> {
  const { hooks, devices, cgroup, deviceName = nameOf } = places;
  let looked = 0;
  for (const { ifindex, programs } of devices()) {
    const faults = hooks.deviceFaults(ifindex, programs);
    // With its device a link goes too; that is news on its way by rtnetlink, and no damage.
    const name = faults.length > 0 ? deviceName(ifindex) : null;
    if (name !== null) mend(faults, name, () => hooks.attachDevice(ifindex, programs), onDrift);
    if (++looked % PLACES === 0) yield PLACES;
  }
  if (cgroup !== '') {
    const faults = hooks.cgroupFaults(cgroup);
    if (faults.length > 0) mend(faults, cgroup, () => hooks.attachCgroup(cgroup), onDrift);
    looked++;
  }
  yield looked % PLACES;
}

function mend(faults: readonly string[], place: string, attach: () => void, onDrift: (drift: Drift) => void): void {
  let failure = '';
  try {
    attach();
  } catch (error) {
    failure = reasonOf(error);
  }
  for (const fault of faults) {
    const [program = '', found = ''] = fault.split(': ');
    const kind = found.includes('not ours') ? 'differs' : 'missing';
    onDrift({ table: 'links', kind, row: `${place} ${program}`, expected: 'attached, with our program', found, failure });
  }
}
