import { BpfError } from '../../src/native/bpf-error.ts';

/** The BpfError that `action` throws; fails when it throws nothing or something else. */
export function bpfErrorOf(action: () => unknown): BpfError {
  try {
    action();
  } catch (error) {
    if (error instanceof BpfError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** The BpfError that a promise rejects with. */
export async function bpfRejectionOf(promise: Promise<unknown>): Promise<BpfError> {
  const error: unknown = await promise.then(
    () => new Error('nothing was thrown'),
    (reason: unknown) => reason,
  );
  if (error instanceof BpfError) return error;
  throw error;
}
