// The verifier removes what is switched off, so each combination of switches is a program of its own: all must load.
import { describe, expect, test } from 'vitest';
import { configVariables, type DatapathConfig, Detector, SocketPath } from '../../src/datapath/layout.gen.ts';
import { objectPath } from '../../src/datapath/object-file.ts';
import { BpfObject } from '../../src/native/bpf-object.ts';
import { configured } from './datapath.ts';

const AT_ONCE = 2;
const PATIENCE_MS = 300_000; // each is a load of its own, a fifth of a second on a quiet machine

type Values = Partial<DatapathConfig>;
type Switches = Partial<Record<keyof DatapathConfig, readonly number[]>>;

const BOOLEAN = [0, 1];
const BOTH = { detectorV4: Object.values(Detector), detectorV6: Object.values(Detector), masqueradeAll: BOOLEAN };
const PACKETS: Switches = { ...BOTH, rejectsPerSecond: [0, 1000] };
const SOCKETS: Switches = {
  ...{ ...BOTH, excludesCgroups: BOOLEAN, socketPath: Object.values(SocketPath) },
  ...{ localhostNodePortsV4: BOOLEAN, localhostNodePortsV6: BOOLEAN },
};

/** Every way to choose one value each. */
function combinations(switches: Switches): Values[] {
  return Object.entries(switches).reduce<Values[]>(
    (chosen, [name, values]) => chosen.flatMap((before) => values.map((value) => ({ ...before, [name]: value }))),
    [{}],
  );
}

/** Loads the programs whose section begins like this. '' or the values and the end of the verifier's log. */
async function refusal(values: Values, section: string): Promise<string> {
  const { config, sizes } = configured({});
  const object = BpfObject.open(objectPath());
  try {
    for (const [name, bytes] of configVariables({ ...config, ...values })) object.setVariable(name, bytes);
    for (const [name, rows] of Object.entries(sizes)) object.setMaxEntries(name, rows);
    const programs = object.describe().programs;
    for (const program of programs) object.setAutoload(program.name, program.section.startsWith(section));
    await object.load();
    for (const { name } of programs.filter((program) => program.section.startsWith(section))) object.program(name);
    return '';
  } catch (error) {
    const { detail = '' } = error as { detail?: string };
    const text = JSON.stringify(values, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
    return `${text}: ${String(error)}\n${detail.slice(-2000)}`;
  } finally {
    object.close();
  }
}

async function refusals(of: readonly Values[], section = ''): Promise<string[]> {
  const left = [...of];
  const found: string[] = [];
  const worker = async (): Promise<void> => {
    for (let values = left.pop(); values; values = left.pop()) {
      const text = await refusal(values, section);
      if (text) found.push(text);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return found;
}

describe('the verifier accepts', () => {
  test(
    'the packet programs under every combination of the switches that they read',
    async () => {
      const all = combinations(PACKETS);
      expect(all.length).toBe(3 * 3 * 2 * 2);
      expect(await refusals(all, 'tcx/')).toEqual([]);
    },
    PATIENCE_MS,
  );

  test(
    'the socket programs under every combination of the switches that they read',
    async () => {
      const all = combinations(SOCKETS);
      expect(all.length).toBe(3 * 3 * 2 * 2 * 3 * 2 * 2);
      expect(await refusals(all, 'cgroup/')).toEqual([]);
    },
    PATIENCE_MS,
  );

  test('all programs at once with each value of each switch', async () => {
    const each = Object.entries({ ...PACKETS, ...SOCKETS, flowCounters: BOOLEAN }).flatMap(([name, values]) =>
      values.map((value) => ({ [name]: value })),
    );
    expect(await refusals(each)).toEqual([]);
  });

  test('all programs at once with the extremes of the numbers', async () => {
    const most = 2n ** 64n - 1n;
    const extremes: Values[] = [
      { snatPortMin: 1, snatPortMax: 65535, flowStates: 1, masqueradeMark: 0x80000000, rejectsPerSecond: 0xffffffff },
      { snatPortMin: 1024, snatPortMax: 1024, flowStates: 0xffffffff, masqueradeMark: 1, hostNetnsCookie: most },
      { tcpSynNs: 0n, tcpEstablishedNs: most, tcpCloseWaitNs: most, tcpClosedNs: 0n, udpUnrepliedNs: 0n, udpStreamNs: most },
    ];
    expect(await refusals(extremes)).toEqual([]);
  });
});
