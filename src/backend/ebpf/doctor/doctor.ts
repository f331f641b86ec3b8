// `turnout doctor`: facts, then every check.
import type { Finding } from '../../../cli/doctor-report.ts';
import { runChecks } from './check.ts';
import { DATAPATH_CHECKS } from './datapath-checks.ts';
import type { DoctorFacts } from './facts.ts';
import { FIREWALL_CHECKS } from './firewall-checks.ts';
import { NODE_CHECKS } from './node-checks.ts';
import { SERVICE_CHECKS } from './service-checks.ts';

export const CHECKS = [...DATAPATH_CHECKS, ...SERVICE_CHECKS, ...NODE_CHECKS, ...FIREWALL_CHECKS];

/** service: 'namespace/name' to be strict about; '' : all. */
export const diagnose = (facts: DoctorFacts, service: string): Finding[] => runChecks(CHECKS, facts, service);
