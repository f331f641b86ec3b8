// What a map says when it refuses a row, in words: which table, how large it is, what to raise.
import { TurnoutError } from '../../errors.ts';

/** The flag that sizes a table, by the map's name. */
export const SIZE_FLAGS: Readonly<Record<string, string>> = {
  frontends: '--ebpf-service-table-size',
  service_names: '--ebpf-service-table-size',
  addresses: '--ebpf-service-table-size',
  source_ranges: '--ebpf-service-table-size',
  backends: '--ebpf-backend-table-size',
  backend_states: '--ebpf-backend-table-size',
  flow_states: '--ebpf-flow-table-size',
  affinity: '--ebpf-affinity-table-size',
};

/** Runs a write. A refusal for want of room or memory becomes an error that says so; others stay as they are. */
export function writing<T>(map: { readonly name: string; readonly maxEntries: number }, write: () => T): T {
  try {
    return write();
  } catch (error) {
    const { code } = error as { code?: string };
    const table = `the table ${map.name} (${map.maxEntries} rows)`;
    if (code === 'E2BIG' || code === 'ENOSPC') {
      const flag = SIZE_FLAGS[map.name];
      const hint = flag ? `raise ${flag}` : 'its size is fixed; remove what fills it';
      throw new TurnoutError('ETABLEFULL', `${table} is full`, { hint, cause: error });
    }
    if (code === 'ENOMEM') {
      const hint = 'raise the memory limit of the cgroup turnout runs in';
      throw new TurnoutError('ETABLEMEMORY', `the kernel has no memory for a row of ${table}`, { hint, cause: error });
    }
    throw error;
  }
}
