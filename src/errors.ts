// Errors a person reads. Everything else that is thrown is a defect and keeps its stack.

/** Exit codes of the command line: 0 worked, 1 did not work, 2 was asked wrongly. */
export const EXIT_OK = 0;
export const EXIT_ERROR = 1;
export const EXIT_USAGE = 2;

export interface TurnoutErrorOptions {
  /** What the reader can do about it: a command to type, a flag to set. One line, '' when there is nothing. */
  readonly hint?: string;
  /** Exit code when this error ends the process; EXIT_ERROR when left out. */
  readonly exitCode?: number;
  readonly cause?: unknown;
}

/** A failure that is explained to the reader by `message` and `hint`; programs match the stable `code`. */
export class TurnoutError extends Error {
  readonly code: string;
  readonly hint: string;
  readonly exitCode: number;

  constructor(code: string, message: string, options: TurnoutErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'TurnoutError';
    this.code = code;
    this.hint = options.hint ?? '';
    this.exitCode = options.exitCode ?? EXIT_ERROR;
  }
}

/** One line for a log or a table: what went wrong, and what to do where that is known. */
export function reasonOf(error: unknown): string {
  if (error instanceof TurnoutError && error.hint !== '') return `${error.message}; ${error.hint}`;
  return error instanceof Error ? error.message : String(error);
}

/** The lines the command line prints for any thrown value, without a final newline. Only defects show their stack. */
export function formatError(error: unknown): string {
  if (error instanceof TurnoutError) {
    const lines = [`turnout: ${error.message}`];
    if (error.hint !== '') lines.push(`  -> ${error.hint}`);
    return lines.join('\n');
  }
  if (error instanceof Error && isFromSystem(error)) {
    // What the kernel or libbpf refused: its message says what and why, its detail may be a verifier log.
    const lines = [`turnout: ${error.message}`];
    if (typeof error.detail === 'string' && error.detail !== '') lines.push(error.detail.replaceAll(/^/gm, '    '));
    if (error.code === 'EPERM' || error.code === 'EACCES') lines.push('  -> run it as root');
    return lines.join('\n');
  }
  if (error instanceof Error) {
    return `turnout: ${error.message}\n  -> this is a defect in turnout; please report it with these lines:\n${error.stack ?? ''}`;
  }
  return `turnout: ${String(error)}`;
}

/** Node's system errors carry `syscall`, those of src/native `operation`; both carry an errno name as `code`. */
function isFromSystem(error: Error): error is Error & { readonly code: string; readonly detail?: unknown } {
  return 'code' in error && typeof error.code === 'string' && ('syscall' in error || 'operation' in error);
}

/** The exit code for any thrown value. */
export function exitCodeOf(error: unknown): number {
  return error instanceof TurnoutError ? error.exitCode : EXIT_ERROR;
}
