import type { BpfMap } from '../../../src/native/bpf-map.ts';
import { RingBuffer } from '../../../src/native/ring-buffer.ts';

/** The records of ./programs/probe.bpf.c as letters, to be awaited one by one. */
export function recordQueue(map: BpfMap): { next(): Promise<string>; drop(): void; close(): void } {
  let letters: string[] = [];
  let wake: (() => void) | undefined;
  const ring = new RingBuffer(map, (bytes) => {
    letters.push(String.fromCharCode(bytes[0] ?? 0));
    wake?.();
  });
  return {
    async next(): Promise<string> {
      while (letters.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return letters.shift() ?? '';
    },
    drop(): void {
      letters = [];
    },
    close: () => ring.close(),
  };
}
