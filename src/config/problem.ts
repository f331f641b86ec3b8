// What is wrong with the settings, collected so that all of it is told at once.
import type { z } from 'zod';
import { EXIT_USAGE, TurnoutError } from '../errors.ts';
import type { ValueKind } from './value-kind.ts';

export interface Problem {
  /** The setting as the user wrote it: '--cluster-cidr', 'conntrack.min at config.yaml:3:8'. */
  readonly setting: string;
  /** The refused value as text, '' when the value is not the point. */
  readonly value: string;
  /** Completes "the value ...": 'must be ...'. */
  readonly reason: string;
}

/** One error for all problems; there must be at least one. */
export function problemError(problems: readonly Problem[]): TurnoutError {
  const lines = problems.map(({ setting, value, reason }) =>
    value === '' ? `${setting}: ${reason}` : `${setting}: ${value} ${reason}`,
  );
  const message =
    lines.length === 1
      ? `invalid configuration: ${lines[0]}`
      : `invalid configuration:\n${lines.map((line) => `  ${line}`).join('\n')}`;
  const hint =
    lines.length === 1
      ? 'correct it and start again; `turnout --help` lists every flag'
      : 'correct these and start again; `turnout --help` lists every flag';
  return new TurnoutError('BAD_CONFIG', message, { hint, exitCode: EXIT_USAGE });
}

/** Checks one value; its problems are added to `problems` and null is returned then. */
export function checkValue<T>(
  kind: ValueKind<T>,
  raw: unknown,
  setting: string,
  problems: Problem[],
): { readonly value: T } | null {
  const result = kind.schema.safeParse(raw);
  if (result.success) return { value: result.data };
  // A number that is neither whole nor in range has two issues with one message.
  const found = result.error.issues.map((issue) => problemOf(issue, raw, setting));
  problems.push(
    ...found.filter(
      ({ value, reason }, at) => found.findIndex((other) => other.value === value && other.reason === reason) === at,
    ),
  );
  return null;
}

function problemOf(issue: z.core.$ZodIssue, raw: unknown, setting: string): Problem {
  const [index] = issue.path;
  const refused = typeof index === 'number' && Array.isArray(raw) ? raw[index] : raw;
  return { setting, value: typeof refused === 'number' ? String(refused) : JSON.stringify(refused), reason: issue.message };
}
