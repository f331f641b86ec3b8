// The verifier removes what is switched off, so each combination of switches is a program of its own: all must load.
import { describe, expect, test } from 'vitest';
import { configVariables, type DatapathConfig, Detector, SocketPath } from '../../src/datapath/layout.gen.ts';
import { objectPath } from '../../src/datapath/object-file.ts';
import { BpfObject } from '../../src/native/bpf-object.ts';
import { configured } from './datapath.ts';

const AT_ONCE = 2;

const SWITCHES = {
  detectorV4: Object.values(Detector),
  detectorV6: Object.values(Detector),
  masqueradeAll: [0, 1],
  localhostNodePortsV4: [0, 1],
  localhostNodePortsV6: [0, 1],
  rejectsPerSecond: [0, 1000],
} satisfies Partial<Record<keyof DatapathConfig, readonly number[]>>;

/** Every way to choose one value each. */
function combinations(): Partial<DatapathConfig>[] {
  return Object.entries(SWITCHES).reduce<Partial<DatapathConfig>[]>(
    (chosen, [name, values]) => chosen.flatMap((before) => values.map((value) => ({ ...before, [name]: value }))),
    [{}],
  );
}

/** '' or the switches and the end of the verifier's log. */
async function refusal(switches: Partial<DatapathConfig>): Promise<string> {
  const { config, sizes } = configured({});
  const object = BpfObject.open(objectPath());
  try {
    for (const [name, bytes] of configVariables({ ...config, ...switches })) object.setVariable(name, bytes);
    for (const [name, rows] of Object.entries(sizes)) object.setMaxEntries(name, rows);
    await object.load();
    return '';
  } catch (error) {
    const { detail = '' } = error as { detail?: string };
    return `${JSON.stringify(switches)}: ${String(error)}\n${detail.slice(-2000)}`;
  } finally {
    object.close();
  }
}

describe('the verifier accepts every combination of switches', () => {
  test.each(Object.entries(SocketPath))('with %s', async (_, socketPath) => {
    const left = combinations().map((switches) => ({ ...switches, socketPath }));
    const refusals: string[] = [];
    const worker = async (): Promise<void> => {
      for (let switches = left.pop(); switches; switches = left.pop()) {
        const text = await refusal(switches);
        if (text) refusals.push(text);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    expect(refusals).toEqual([]);
  });

  test('and the extremes of the numbers', async () => {
    for (const numbers of [
      { snatPortMin: 1, snatPortMax: 65535, flowStates: 1, masqueradeMark: 0x80000000, rejectsPerSecond: 0xffffffff },
      { snatPortMin: 1024, snatPortMax: 1024, flowStates: 0xffffffff, masqueradeMark: 1, hostNetnsCookie: 2n ** 64n - 1n },
      { tcpSynNs: 0n, tcpEstablishedNs: 2n ** 64n - 1n, tcpClosedNs: 0n, udpUnrepliedNs: 0n, udpStreamNs: 2n ** 64n - 1n },
    ]) {
      expect(await refusal(numbers)).toBe('');
    }
  });
});
