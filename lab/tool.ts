// Programs of the lab that are written in C, which `make` builds.
import { join } from 'node:path';

export type Tool = 'flood' | 'send-frame' | 'tun-cable' | 'udp-bulk';

export const toolPath = (tool: Tool): string => join(import.meta.dirname, '../build/lab', tool);
