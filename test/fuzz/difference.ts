// A packet that the programs treat otherwise than the model says, for people.
import { packetDifference } from '../datapath/packet/difference.ts';
import { L2 } from './model/headers.ts';
import type { Hook, Passage, Prediction } from './model/prediction.ts';

export interface Difference {
  readonly packet: number;
  readonly isEqual: boolean;
  readonly text: string;
}

interface Sent {
  readonly seed: number;
  readonly number: number;
  readonly hook: Hook;
  readonly frame: Uint8Array;
  readonly mark: number;
}

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');
const described = (verdict: string, mark: number, counters: string): string =>
  `${verdict}, mark 0x${mark.toString(16)}, counted ${counters || 'nothing'}`;

export function describeDifference(
  { seed, number, hook, frame, mark }: Sent,
  { prediction, passage }: { prediction: Prediction; passage: Passage },
  observed: { verdict: string; mark: number; packet: Uint8Array },
  counted: ReadonlyMap<string, number>,
  isEqual: boolean,
): Difference {
  const { verdict, octets } = prediction;
  const got = [...counted].map(([name, value]) => (value === 1 ? name : `${name} ${value}`)).join(' ');
  const lines = [
    `${isEqual ? 'As expected' : 'DIFFERENCE'}: SEED=${seed}, packet ${number}, ${hook}, ${frame.length} octets`,
    `  in        mark 0x${mark.toString(16)}`,
    `            ${hex(frame)}`,
    `  expected  ${described(verdict, prediction.mark, passage.counted.join(' '))}`,
    ...(octets ? [`            ${hex(octets)}`] : []),
    `  got       ${described(observed.verdict, observed.mark, got)}`,
    `            ${hex(observed.packet)}`,
    `  because   ${(passage.reasons ?? []).join('; ')}`,
    ...(octets && !isEqual && octets.length > L2 + 40
      ? packetDifference(octets, observed.packet).map((line) => `  field     ${line}`)
      : []),
    `  again     make fuzz SEED=${seed} PACKET=${number}`,
  ];
  return { packet: number, isEqual, text: lines.join('\n') };
}
