// What a check is: a name, the symptom it explains, and a pure function from facts to what is wrong.
import type { Finding, Severity, Symptom } from '../../../cli/doctor-report.ts';
import type { DoctorFacts } from './facts.ts';

/** What a check says; a check that says nothing found nothing. */
export interface Remark {
  readonly severity: Exclude<Severity, 'ok'>;
  readonly sentence: string;
  readonly evidence?: string;
  readonly advice?: string;
}

export interface Check {
  readonly name: string;
  readonly symptom: Symptom;
  /** What is so when nothing is found. */
  readonly fine: string;
  /** service: 'namespace/name' that is looked at strictly; '' : all, leniently. */
  readonly look: (facts: DoctorFacts, service: string) => readonly Remark[];
}

export function runChecks(checks: readonly Check[], facts: DoctorFacts, service: string): Finding[] {
  return checks.flatMap(({ name: check, symptom, fine, look }): Finding[] => {
    const remarks = look(facts, service);
    if (remarks.length === 0) return [{ check, symptom, severity: 'ok', sentence: fine, evidence: '', advice: '' }];
    return remarks.map(({ severity, sentence, evidence = '', advice = '' }) => ({
      check,
      symptom,
      severity,
      sentence,
      evidence,
      advice,
    }));
  });
}

/** The first few, and how many more there are. */
export function listed(texts: readonly string[], most = 5): string {
  const more = texts.length - most;
  return texts.slice(0, most).join(', ') + (more > 0 ? `, and ${more} more` : '');
}
