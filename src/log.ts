// Log lines as kube-proxy's users know them: klog's text format, or one JSON object a line.
// Not pino: it writes JSON first, so klog text would mean parsing every line again, and klog's header (caller, thread id,
// microseconds) and its quoting would be ours anyway. What is left is the formatter below.
import { basename } from 'node:path';

/** Structured values beside a message. An Error prints its message; objects print as JSON. */
export type LogFields = Readonly<Record<string, unknown>>;
export type Severity = 'info' | 'warning' | 'error';

export interface Logger {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  /** Put the cause under the key `err`, as klog does. */
  error(message: string, fields?: LogFields): void;
  /** Printed only when `-v` is at least `level` (1 to 10). */
  verbose(level: number, message: string, fields?: LogFields): void;
  /** Claims whether verbose(level, ...) would print; ask before computing costly fields. */
  isVerbose(level: number): boolean;
  /** A logger that adds `fields` to each line. */
  with(fields: LogFields): Logger;
}

export interface LoggerOptions {
  readonly format: 'text' | 'json';
  readonly verbosity: number;
  /** Takes one line with its newline; standard error when left out. */
  readonly write?: (line: string) => void;
  /** Milliseconds since the epoch, fractions allowed. */
  readonly now?: () => number;
  /** Prefix of every line's source position; found in the stack when left out. */
  readonly caller?: () => string;
}

interface LogRecord {
  readonly severity: Severity;
  readonly level: number;
  readonly timeMs: number;
  readonly caller: string;
  readonly message: string;
  readonly fields: LogFields;
}

/** A logger for the whole process. Never throws: a line that cannot be formatted says so instead. */
export function createLogger(options: LoggerOptions): Logger {
  const write = options.write ?? ((line: string) => void process.stderr.write(line));
  const now = options.now ?? (() => performance.timeOrigin + performance.now());
  const format = options.format === 'json' ? formatJson : formatText;

  function build(bound: LogFields): Logger {
    function emit(
      entry: (...rest: never[]) => void,
      severity: Severity,
      level: number,
      message: string,
      fields?: LogFields,
    ): void {
      const caller = options.caller?.() ?? callerOf(entry);
      write(format({ severity, level, timeMs: now(), caller, message, fields: { ...bound, ...fields } }));
    }
    const logger: Logger = {
      info: (message, fields) => emit(logger.info, 'info', 0, message, fields),
      warn: (message, fields) => emit(logger.warn, 'warning', 0, message, fields),
      error: (message, fields) => emit(logger.error, 'error', 0, message, fields),
      verbose: (level, message, fields) => {
        if (logger.isVerbose(level)) emit(logger.verbose, 'info', level, message, fields);
      },
      isVerbose: (level) => level <= options.verbosity,
      with: (fields) => build({ ...bound, ...fields }),
    };
    return logger;
  }
  return build({});
}

/** `I1121 08:15:00.123456    1234 file.ts:12] "Message" key="value"`, local time as klog. */
export function formatText(record: LogRecord): string {
  const time = new Date(Math.floor(record.timeMs));
  const micros = Math.floor((record.timeMs - Math.floor(record.timeMs)) * 1000);
  const two = (value: number): string => String(value).padStart(2, '0');
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
  const fraction = `${String(time.getMilliseconds()).padStart(3, '0')}${String(micros).padStart(3, '0')}`;
  const letter = record.severity === 'info' ? 'I' : record.severity === 'warning' ? 'W' : 'E';
  const head = `${letter}${two(time.getMonth() + 1)}${two(time.getDate())} ${clock}.${fraction} ${String(process.pid).padStart(7)} ${record.caller}]`;
  let line = `${head} ${JSON.stringify(record.message)}`;
  for (const [key, value] of Object.entries(record.fields)) {
    if (value !== undefined) line += ` ${key}=${textValue(key, value)}`;
  }
  return `${line}\n`;
}

/** The fields of Kubernetes' JSON log format: ts in milliseconds, caller, msg, v (errors have none), then the values. */
export function formatJson(record: LogRecord): string {
  const head: Record<string, unknown> = { ts: record.timeMs, caller: record.caller, msg: record.message };
  if (record.severity === 'info') head['v'] = record.level;
  if (record.severity === 'warning') head['level'] = 'warning';
  for (const [key, value] of Object.entries(record.fields)) head[key in head ? `${key}_` : key] = jsonValue(key, value);
  return `${JSON.stringify(head)}\n`;
}

function textValue(key: string, value: unknown): string {
  const plain = jsonValue(key, value);
  if (typeof plain === 'number' || typeof plain === 'boolean' || plain === null) return String(plain);
  if (typeof plain !== 'string') return JSON.stringify(plain);
  // klog keeps a text of several lines (a verifier log) readable instead of escaping its newlines.
  if (plain.includes('\n')) return `<\n${plain.replace(/\n+$/, '').replaceAll(/^/gm, '\t')}\n >`;
  return JSON.stringify(plain);
}

const SECRET_KEY = /token|password|passwd|secret|authorization|credential|private_?key/i;

/** A value that JSON can hold: errors by message, maps and sets as arrays, secrets by name never. */
function jsonValue(key: string, value: unknown): unknown {
  try {
    const text = JSON.stringify(value, function (this: unknown, name: string, member: unknown): unknown {
      if (SECRET_KEY.test(name === '' ? key : name)) return '[hidden]';
      if (member instanceof Error) return errorText(member);
      if (member instanceof Set || member instanceof Map) return [...member];
      if (typeof member === 'bigint') return String(member);
      return member;
    });
    return text === undefined ? String(value) : JSON.parse(text);
  } catch (error) {
    return `(not printable: ${(error as Error).message})`;
  }
}

function errorText(error: Error): string {
  const code = (error as { code?: unknown }).code;
  const text = typeof code === 'string' && !error.message.includes(code) ? `${error.message} (${code})` : error.message;
  return error.cause instanceof Error ? `${text}: ${errorText(error.cause)}` : text;
}

/** 'file.ts:12' of the code that called `entry`. */
function callerOf(entry: (...rest: never[]) => void): string {
  const holder: { stack?: string } = {};
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 1;
  Error.captureStackTrace(holder, entry);
  Error.stackTraceLimit = limit;
  const match = /([^/\s(]+):(\d+):\d+\)?$/.exec(holder.stack ?? '');
  return match === null ? 'unknown:0' : `${basename(match[1] ?? '')}:${match[2]}`;
}
