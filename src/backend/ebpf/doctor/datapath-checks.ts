// Is the datapath whole: the process, its hooks on devices and cgroup, its tables, and what it refuses.
import { reasonOf } from '../../../cli/reasons.ts';
import { SIZE_FLAGS } from '../table-full.ts';
import { type Check, listed, type Remark } from './check.ts';
import type { DoctorFacts } from './facts.ts';

const SERVICE = 'Service not reachable';
/** Refusals that are never part of ordinary life. */
const GRAVE: ReadonlySet<string> = new Set(['flows_full', 'snat_exhausted', 'no_source', 'port_collision']);
const FULL_PERCENT = 95;
const FILLING_PERCENT = 80;
const FLOOD_FLOWS = 1000;

const deviceName = ({ devices }: DoctorFacts, ifindex: number): string =>
  devices.find((device) => device.ifindex === ifindex)?.name ?? `ifindex ${ifindex}`;

function lookAtProcess({ process, pinFolder, ownVersion, healthz }: DoctorFacts): Remark[] {
  if (!process && pinFolder === '') {
    const advice =
      'Start it with --kubeconfig or --manifests, and run this in its network namespace, with its --ebpf-bpffs-root.';
    return [
      {
        severity: 'problem',
        sentence: 'turnout does not run here, and no datapath is installed: no Service is translated.',
        advice,
      },
    ];
  }
  if (!process) {
    const sentence =
      'turnout does not run. What it programmed stays in force and follows no change: endpoints that go away are still used.';
    return [
      {
        severity: 'problem',
        sentence,
        evidence: `pins in ${pinFolder}`,
        advice: 'Look at the end of its log, and start it again; connections are not harmed.',
      },
    ];
  }
  const remarks: Remark[] = [];
  if (process.version !== ownVersion) {
    remarks.push({ severity: 'info', sentence: `The running turnout is version ${process.version}, this one is ${ownVersion}.` });
  }
  if (healthz && healthz.status !== 200) {
    const evidence = healthz.status === 0 ? `${healthz.url}: nobody answers` : `${healthz.url}: ${healthz.status}`;
    const sentence =
      healthz.status === 503
        ? 'turnout is not healthy: a change has waited for two sync periods.'
        : 'turnout runs, and its /healthz does not answer as it should.';
    remarks.push({
      severity: healthz.status === 503 ? 'problem' : 'warning',
      sentence,
      evidence,
      advice: 'Its log names what fails.',
    });
  }
  return remarks;
}

function lookAtHooks(facts: DoctorFacts): Remark[] {
  const remarks: Remark[] = [];
  const advice =
    'A running turnout attaches again within seconds, or at `turnout verify` where --ebpf-verify-period is 0s. Find out who detached it.';
  for (const ifindex of facts.wanted) {
    const name = deviceName(facts, ifindex);
    if (!facts.devices.some((device) => device.ifindex === ifindex)) continue; // gone; its row goes with the next look
    const live = facts.hooks.filter((hook) => hook.ifindex === ifindex && !hook.isDetached).map(({ direction }) => direction);
    const present = new Set([...live, ...(facts.clsact.get(ifindex) ?? [])]);
    const missing = ['ingress', 'egress'].filter((direction) => !present.has(direction));
    if (missing.length === 0) continue;
    const detached = facts.hooks.filter((hook) => hook.ifindex === ifindex && hook.isDetached).map(({ pin }) => pin);
    const evidence = detached.length > 0 ? `detached links: ${detached.join(', ')}` : `no program at ${missing.join(' and ')}`;
    remarks.push({
      severity: 'problem',
      sentence: `${name} lacks its ${missing.join(' and ')} program: packets there are not translated.`,
      evidence,
      advice,
    });
  }
  const leftAlone = [...facts.eligible]
    .filter((ifindex) => !facts.wanted.has(ifindex))
    .map((ifindex) => deviceName(facts, ifindex));
  if (leftAlone.length > 0 && facts.pinFolder !== '') {
    const sentence =
      'Some devices have no programs, by --ebpf-devices-include or --ebpf-devices-exclude: Services are not translated there.';
    remarks.push({
      severity: 'info',
      sentence,
      evidence: listed(leftAlone),
      advice: 'Right for devices that another CNI serves; else correct the patterns.',
    });
  }
  return remarks;
}

function lookAtSockets({ socketPath, pinFolder }: DoctorFacts): Remark[] {
  const { mode, live, missing, cgroupId, root, rootId, rootProcesses, isNested } = socketPath;
  if (mode === 'off' || pinFolder === '') return [];
  if (live.length === 0) {
    const advice =
      root === ''
        ? 'Mount one, or start turnout with --ebpf-socket-path=off.'
        : 'Restart turnout; its log says why it could not attach.';
    return [
      {
        severity: 'problem',
        sentence: 'No socket program is attached: processes of the node reach Services by packets only, or not at all.',
        evidence: root === '' ? 'no cgroup v2 is mounted' : root,
        advice,
      },
    ];
  }
  const remarks: Remark[] = [];
  if (missing.length > 0) {
    remarks.push({
      severity: 'problem',
      sentence: 'Some socket programs are missing.',
      evidence: missing.join(', '),
      advice: 'Restart turnout, and find out who detached them.',
    });
  }
  if (rootId !== '' && cgroupId !== rootId) {
    const sentence =
      'The socket programs are attached to another cgroup than the one that is to be used; it may have been removed since.';
    remarks.push({
      severity: 'problem',
      sentence,
      evidence: `attached to id ${cgroupId}, ${root} has id ${rootId}`,
      advice: 'Give --ebpf-cgroup-root as the proxy was given it; else restart turnout.',
    });
  }
  if (rootProcesses === 0) {
    remarks.push({
      severity: 'problem',
      sentence: 'No process is in the cgroup that the socket programs are attached to, so no socket is translated.',
      evidence: root,
      advice: "Name the node's cgroup v2 root with --ebpf-cgroup-root.",
    });
  }
  if (isNested) {
    const sentence =
      'turnout is in a cgroup namespace of its own: what it takes for the root may be the cgroup of its own container.';
    remarks.push({
      severity: 'warning',
      sentence,
      evidence: root,
      advice:
        "Mount the host's cgroup v2 into the container and name it with --ebpf-cgroup-root, or use the host's cgroup namespace.",
    });
  }
  return remarks;
}

function lookAtTables({ tables }: DoctorFacts): Remark[] {
  return tables.flatMap(({ name, used, size }): Remark[] => {
    const percent = Math.floor((100 * used) / Math.max(1, size));
    if (percent < FILLING_PERCENT) return [];
    const flag = SIZE_FLAGS[name] ?? 'its size';
    return [
      {
        severity: percent >= FULL_PERCENT ? 'problem' : 'warning',
        sentence: `The table ${name} is ${percent} % full.`,
        evidence: `${used} of ${size} rows`,
        advice: `Raise ${flag}; a restart carries everything over.`,
      },
    ];
  });
}

function lookAtRefusals({ refusals }: DoctorFacts): Remark[] {
  return refusals.flatMap(({ name, before, after }): Remark[] => {
    const [isRising, isGrave] = [after > before, GRAVE.has(name)];
    if (!isRising && !(isGrave && after > 0)) return [];
    const { meaning, advice } = reasonOf(name);
    const evidence = isRising
      ? `${name}: ${after - before} in the last second, ${after} in all`
      : `${name}: ${after} in all, none in the last second`;
    return [{ severity: isRising ? (isGrave ? 'problem' : 'warning') : 'info', sentence: meaning, evidence, advice }];
  });
}

function lookAtFlood({ flows }: DoctorFacts): Remark[] {
  if (flows.unreplied < FLOOD_FLOWS || flows.unreplied * 2 < flows.all) return [];
  const sentence = 'Most flows were never answered: a flood of first packets, a scan, or endpoints that do not answer.';
  return [
    {
      severity: 'warning',
      sentence,
      evidence: `${flows.unreplied} of ${flows.all} flows without a reply`,
      advice: '`turnout flows` shows who sends and to which endpoints; look whether those answer at all.',
    },
  ];
}

export const DATAPATH_CHECKS: readonly Check[] = [
  { name: 'process', symptom: SERVICE, fine: 'turnout runs and is healthy.', look: lookAtProcess },
  { name: 'hooks', symptom: SERVICE, fine: 'Every device has its programs.', look: lookAtHooks },
  { name: 'socket-hooks', symptom: SERVICE, fine: 'The socket programs are attached to the right cgroup.', look: lookAtSockets },
  { name: 'tables', symptom: SERVICE, fine: 'No table is near its end.', look: lookAtTables },
  { name: 'refusals', symptom: SERVICE, fine: 'Nothing is being refused.', look: lookAtRefusals },
  { name: 'flood', symptom: 'High CPU', fine: 'Most flows are answered.', look: lookAtFlood },
];
