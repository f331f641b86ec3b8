// The kinds of values an option can have: how a flag's text is read, what is valid, what it becomes.
import { z } from 'zod';
import { canonicalIp, ipFamilyOf, parseCidr } from '../state/ip.ts';
import { cgroupPatternFault } from './cgroup-pattern.ts';
import { parseGoDuration } from './go-duration.ts';

export interface ValueKind<T> {
  /** How help shows the value: 'DURATION'. */
  readonly placeholder: string;
  /** From what a file holds (a YAML scalar or list) to the value used. Messages complete the sentence "the value ...". */
  readonly schema: z.ZodType<T>;
  /** A flag's text as a file would hold it; text that does not fit is left as text, for the schema to refuse. */
  readonly fromText: (text: string) => unknown;
  /** '' is a value of its own, not "unset". */
  readonly acceptsEmpty?: boolean;
  readonly isBoolean?: boolean;
  /** The flag may be given several times and each adds to the list. */
  readonly isList?: boolean;
}

const asText = (text: string): string => text;
const asNumber = (text: string): unknown => (/^[+-]?\d+$/.test(text) ? Number(text) : text);
const asDecimal = (text: string): unknown => (/^[+-]?(\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : text);
const asList = (text: string): string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
const BOOLEANS: Readonly<Record<string, boolean>> = { true: true, t: true, '1': true, false: false, f: false, '0': false };
// YAML 1.1 words that kube-proxy's reader takes as booleans.
const YAML_BOOLEANS: Readonly<Record<string, boolean>> = { yes: true, on: true, no: false, off: false };

export const booleanKind: ValueKind<boolean> = {
  placeholder: 'true|false',
  schema: z.preprocess(
    (value) => (typeof value === 'string' ? (YAML_BOOLEANS[value.toLowerCase()] ?? value) : value),
    z.boolean('must be true or false'),
  ),
  fromText: (text) => BOOLEANS[text.toLowerCase()] ?? text,
  isBoolean: true,
};

/** A whole number from min to max, both included. */
export function integerKind(min: number, max: number = 2 ** 31 - 1): ValueKind<number> {
  const message = max === 2 ** 31 - 1 ? `must be a whole number, ${min} or more` : `must be a whole number from ${min} to ${max}`;
  return { placeholder: 'NUMBER', schema: z.int(message).min(min, message).max(max, message), fromText: asNumber };
}

/** Any number, also with a fraction. */
export const numberKind: ValueKind<number> = { placeholder: 'NUMBER', schema: z.number('must be a number'), fromText: asDecimal };

/** Milliseconds. `min` is exclusive when `isPositive`. */
export function durationKind(options: { readonly isPositive: boolean }): ValueKind<number> {
  const schema = z.string('must be a duration with a unit, such as 30s or 1m30s').transform((text, context) => {
    const durationMs = parseGoDuration(text);
    if (durationMs === null) context.addIssue('must be a duration such as 30s, 1m30s or 500ms');
    else if (options.isPositive && durationMs <= 0) context.addIssue('must be longer than 0s');
    else if (durationMs < 0) context.addIssue('must not be negative');
    return durationMs ?? 0;
  });
  // A bare 0 needs no unit; any other number would be a guess.
  return { placeholder: 'DURATION', schema: z.preprocess((value) => (value === 0 ? '0s' : value), schema), fromText: asText };
}

export const textKind: ValueKind<string> = { placeholder: 'TEXT', schema: z.string('must be text'), fromText: asText };

/** A folder by its full path. */
export const folderKind: ValueKind<string> = {
  placeholder: 'DIR',
  schema: z.string('must be the path of a folder').startsWith('/', 'must be a full path that starts with /'),
  fromText: asText,
};

export function choiceKind<const T extends string>(choices: readonly T[]): ValueKind<T> {
  const message = `must be one of ${choices.join(', ')}`;
  return { placeholder: choices.join('|'), schema: z.enum(choices, message), fromText: asText };
}

export const ipKind: ValueKind<string> = {
  placeholder: 'IP',
  schema: z.string('must be an IP address').transform((text, context) => {
    const ip = canonicalIp(text);
    if (ip === null) context.addIssue('must be an IP address such as 192.0.2.1 or 2001:db8::1');
    return ip ?? '';
  }),
  fromText: asText,
};

/** 'ip', 'ip:port' or '[ip]:port' as it was written, '' for off; the port is completed where the address is used. */
export const bindAddressKind: ValueKind<string> = {
  placeholder: 'IP:PORT',
  schema: z.string('must be an address such as 0.0.0.0:10256').refine((text) => {
    if (text === '' || canonicalIp(text) !== null) return true;
    const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
    const ip = match === null ? null : canonicalIp(match[1] ?? match[2] ?? '');
    const port = Number(match?.[3]);
    return ip !== null && (ipFamilyOf(ip) === 'IPv6') === (match?.[1] !== undefined) && port >= 1 && port <= 65535;
  }, 'must be IP:PORT or [IPv6]:PORT with a port from 1 to 65535'),
  fromText: asText,
  acceptsEmpty: true,
};

/** One CIDR, or one of each family after a comma: ['10.0.0.0/8', 'fd00::/48']. */
export const clusterCidrKind: ValueKind<readonly string[]> = {
  placeholder: 'CIDR[,CIDR]',
  schema: z.string('must be a CIDR, or two separated by a comma').transform((text, context) => {
    const parsed = text.split(',').map((part) => ({ part: part.trim(), cidr: parseCidr(part) }));
    const bad = parsed.find(({ cidr }) => cidr === null);
    if (bad !== undefined) context.addIssue(`must be a CIDR such as 10.244.0.0/16; "${bad.part}" is none`);
    else if (parsed.length > 2) context.addIssue('must be at most two CIDRs, one IPv4 and one IPv6');
    else if (parsed.length === 2 && parsed[0]?.cidr?.family === parsed[1]?.cidr?.family) {
      context.addIssue('must be one IPv4 and one IPv6 CIDR when there are two');
    }
    return parsed.map(({ cidr }) => cidr?.text ?? '');
  }),
  fromText: asText,
};

const NODE_PORT_KEYWORDS = ['primary', 'localhost', 'all'];

export const nodePortAddressesKind: ValueKind<readonly string[]> = {
  placeholder: 'CIDR|primary|localhost|all,...',
  schema: z.array(
    z.string('must be a CIDR or a keyword').transform((text, context) => {
      if (NODE_PORT_KEYWORDS.includes(text)) return text;
      const cidr = parseCidr(text);
      if (cidr === null) context.addIssue('must be a CIDR such as 192.0.2.0/24, or primary, localhost or all');
      return cidr?.text ?? '';
    }),
    'must be a list of CIDRs and keywords',
  ),
  fromText: asList,
  isList: true,
};

/** Device names with * ? and [...] as in a shell. */
export const devicePatternsKind: ValueKind<readonly string[]> = {
  placeholder: 'PATTERN,...',
  schema: z.array(
    z
      .string('must be a device name or pattern')
      .regex(/^[^\s/]+$/, 'must be a device name or pattern without blanks and slashes, such as eth* or cali*')
      .refine((text) => /^(?:[^[\]]|\[[^[\]]+\])*$/.test(text), 'must close every [ of the pattern with a ]'),
    'must be a list of device patterns',
  ),
  fromText: asList,
  isList: true,
};

/** Paths of cgroups with shell patterns, from the root of the socket path. */
export const cgroupPatternsKind: ValueKind<readonly string[]> = {
  placeholder: 'PATTERN,...',
  schema: z.array(
    z.string('must be a pattern of a cgroup path').superRefine((text, context) => {
      const fault = cgroupPatternFault(text);
      if (fault !== null) context.addIssue(fault);
    }),
    'must be a list of patterns of cgroup paths',
  ),
  fromText: asList,
  isList: true,
};

export interface PortRange {
  readonly min: number;
  readonly max: number;
}

/** 'min-max', both included, above the privileged ports. */
export const portRangeKind: ValueKind<PortRange> = {
  placeholder: 'MIN-MAX',
  schema: z.string('must be a range of ports such as 10240-29999').transform((text, context) => {
    const match = /^\s*(\d{1,5})\s*-\s*(\d{1,5})\s*$/.exec(text);
    const range = { min: Number(match?.[1] ?? 0), max: Number(match?.[2] ?? 0) };
    if (match === null) context.addIssue('must be a range of ports such as 10240-29999');
    else if (range.min < 1024 || range.max > 65535) context.addIssue('must lie inside 1024-65535');
    else if (range.min >= range.max) context.addIssue('must have its smaller port first, and more than one port');
    return range;
  }),
  fromText: asText,
};
