// `turnout doctor`: how it is asked, and how findings are laid out.
import { expect, test } from 'vitest';
import { parseArguments } from '../../../src/cli/arguments.ts';
import { type Finding, formatDoctor } from '../../../src/cli/doctor-report.ts';

const parse = (...argv: string[]) => parseArguments(['doctor', ...argv], { version: '1', capabilities: ~0n });

test('takes a Service by namespace and name', () => {
  expect(parse()).toMatchObject({ kind: 'doctor', service: '', output: 'table' });
  expect(parse('--service=kube-system/kube-dns', '-ojson')).toMatchObject({ service: 'kube-system/kube-dns', output: 'json' });
  expect(() => parse('--service=kube-dns')).toThrow('"kube-dns" must be NAMESPACE/NAME');
});

const finding = (over: Partial<Finding>): Finding => ({
  ...{ check: 'c', symptom: 'Service not reachable', severity: 'ok', sentence: 'Fine.', evidence: '', advice: '' },
  ...over,
});

test('findings stand under their symptom, the worst first; what is fine is counted', () => {
  const findings = [
    finding({}),
    finding({ severity: 'warning', sentence: 'Odd.', evidence: 'x=1' }),
    finding({ severity: 'problem', sentence: 'Broken.', evidence: 'a\u001b[2Jb', advice: 'Mend it.' }),
    finding({ severity: 'info', symptom: 'High CPU', sentence: 'Warm.' }),
  ];
  expect(formatDoctor(findings, 'table')).toBe(`Service not reachable
  PROBLEM Broken.
          seen: a [2Jb
          -> Mend it.
  warning Odd.
          seen: x=1

High CPU
  info    Warm.

1 problem, 1 warning; 1 check found nothing.
`);
  expect(JSON.parse(formatDoctor(findings, 'json'))).toEqual(findings);
});

test('nothing found is said', () => {
  expect(formatDoctor([finding({}), finding({})], 'table')).toBe('0 problems, 0 warnings; 2 checks found nothing.\n');
});
