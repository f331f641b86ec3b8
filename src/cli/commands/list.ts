// Every sub-command, in the order of `turnout --help`.
import type { SubCommand } from '../sub-command.ts';
import { CLEANUP } from './cleanup.ts';
import { DOCTOR } from './doctor.ts';
import { EXPLAIN } from './explain.ts';
import { FLOWS } from './flows.ts';
import { MONITOR } from './monitor.ts';
import { SERVICES } from './services.ts';
import { STATUS } from './status.ts';
import { TOP } from './top.ts';
import { VERIFY } from './verify.ts';

export const SUB_COMMANDS: readonly SubCommand[] = [STATUS, SERVICES, FLOWS, MONITOR, TOP, EXPLAIN, DOCTOR, VERIFY, CLEANUP];
