// Reading API objects of unknown shape: every fault names its field, and one fault refuses the object, not the file. Where
// kube-proxy does without an entry of a list (an address that is none), so do we: an omission leaves out that entry alone.
import { canonicalIp, parseCidr } from '../state/ip.ts';

export interface Fault {
  readonly field: string; // 'spec.ports[0].port'
  readonly message: string;
}

/** What becomes of an entry that is omitted. */
export const LEFT_OUT = 'it is left out, the rest is in force';

type Fields = Readonly<Record<string, unknown>>;

/** Reads fields of one object; faults and omissions are collected, and a harmless value stands in so that reading goes on. */
export class ObjectReader {
  readonly #fields: Fields;
  readonly #path: string;
  readonly faults: Fault[];
  readonly omissions: Fault[]; // each message says what becomes of the entry

  constructor(fields: Fields, path = '', faults: Fault[] = [], omissions: Fault[] = []) {
    this.#fields = fields;
    this.#path = path;
    this.faults = faults;
    this.omissions = omissions;
  }

  fault(field: string, message: string): void {
    this.faults.push({ field: this.#at(field), message });
  }

  omit(field: string, message: string): void {
    this.omissions.push({ field: this.#at(field), message });
  }

  string(field: string): string {
    const value = this.#fields[field];
    if (value === undefined || value === null) return '';
    if (typeof value === 'string') return value;
    this.fault(field, `must be a string, not ${describe(value)}`);
    return '';
  }

  requiredString(field: string): string {
    const value = this.string(field);
    if (value === '' && !this.faults.some((fault) => fault.field === this.#at(field))) this.fault(field, 'is required');
    return value;
  }

  /** One of the words, or `otherwise` when the field is not there. */
  word<Word extends string>(field: string, words: readonly Word[], otherwise: Word): Word {
    const value = this.#fields[field];
    if (value === undefined || value === null || value === '') return otherwise;
    if (words.includes(value as Word)) return value as Word;
    this.fault(field, `must be one of ${words.join(', ')}, not ${describe(value)}`);
    return otherwise;
  }

  /** As word(), but an unknown word is an omission: null, and the entry it stands in is left out. */
  wordOrNull<Word extends string>(field: string, words: readonly Word[], otherwise: Word): Word | null {
    const value = this.#fields[field];
    if (typeof value !== 'string' || value === '' || words.includes(value as Word)) return this.word(field, words, otherwise);
    this.omit(field, `must be one of ${words.join(', ')}, not ${describe(value)}; ${LEFT_OUT}`);
    return null;
  }

  /** A whole number within limits; 0 when the field is not there. */
  integer(field: string, minimum: number, maximum: number): number {
    const value = this.#fields[field];
    if (value === undefined || value === null || value === 0) return 0;
    if (typeof value === 'number' && Number.isInteger(value) && value >= minimum && value <= maximum) return value;
    this.fault(field, `must be a whole number from ${minimum} to ${maximum}, not ${describe(value)}`);
    return 0;
  }

  port(field: string): number {
    return this.integer(field, 1, 65535);
  }

  boolean(field: string, otherwise: boolean): boolean {
    const value = this.#fields[field];
    if (value === undefined || value === null) return otherwise;
    if (typeof value === 'boolean') return value;
    this.fault(field, `must be true or false, not ${describe(value)}`);
    return otherwise;
  }

  /** A canonical address; '' when the field is not there. */
  ip(field: string): string {
    const text = this.string(field);
    return text === '' ? '' : this.#canonical(field, text);
  }

  /** As ip(), but text that is no address is an omission: ''. */
  ipOrNothing(field: string): string {
    const text = this.string(field);
    return text === '' ? '' : this.#canonicalOrNothing(field, text);
  }

  strings(field: string): string[] {
    return this.#list(field).flatMap((value, i) => {
      if (typeof value === 'string') return [value];
      this.fault(`${field}[${i}]`, `must be a string, not ${describe(value)}`);
      return [];
    });
  }

  ips(field: string): string[] {
    return this.strings(field).map((text, i) => this.#canonical(`${field}[${i}]`, text));
  }

  /** The first of a list of addresses, the others unread; '' and an omission when it is none. */
  firstIpOrNothing(field: string): string {
    const [first] = this.#list(field);
    if (first === undefined) this.omit(field, `is empty; ${LEFT_OUT}`);
    else if (typeof first !== 'string') this.fault(`${field}[0]`, `must be a string, not ${describe(first)}`);
    return typeof first === 'string' ? this.#canonicalOrNothing(`${field}[0]`, first) : '';
  }

  /** As ips(), but text that is no address is an omission: '' at its place. */
  ipsOrNothing(field: string): string[] {
    return this.strings(field).map((text, i) => this.#canonicalOrNothing(`${field}[${i}]`, text));
  }

  /** Canonical CIDRs; text that is none is passed to `unreadable`, which says what stands for it. */
  cidrs(field: string, unreadable: (field: string, text: string) => string[]): string[] {
    return this.strings(field).flatMap((text, i) => {
      const cidr = parseCidr(text);
      return cidr ? [cidr.text] : unreadable(`${field}[${i}]`, text);
    });
  }

  labels(field: string): Record<string, string> {
    const reader = this.object(field);
    return Object.fromEntries(Object.keys(reader.#fields).map((key) => [key, reader.string(key)]));
  }

  object(field: string): ObjectReader {
    return this.#child(field, this.#fields[field] ?? {});
  }

  objects(field: string): ObjectReader[] {
    return this.#list(field).map((value, i) => this.#child(`${field}[${i}]`, value));
  }

  has(field: string): boolean {
    return this.#fields[field] !== undefined && this.#fields[field] !== null;
  }

  #list(field: string): unknown[] {
    const value = this.#fields[field];
    if (value === undefined || value === null) return [];
    if (Array.isArray(value)) return value;
    this.fault(field, `must be a list, not ${describe(value)}`);
    return [];
  }

  #child(field: string, value: unknown): ObjectReader {
    if (isFields(value)) return new ObjectReader(value, this.#at(field), this.faults, this.omissions);
    this.fault(field, `must be an object, not ${describe(value)}`);
    return new ObjectReader({}, this.#at(field), this.faults, this.omissions);
  }

  #canonical(field: string, text: string): string {
    const canonical = canonicalIp(text);
    if (canonical === null) this.fault(field, `is no IP address: ${describe(text)}`);
    return canonical ?? '';
  }

  #canonicalOrNothing(field: string, text: string): string {
    const canonical = canonicalIp(text);
    if (canonical === null) this.omit(field, `is no IP address: ${describe(text)}; ${LEFT_OUT}`);
    return canonical ?? '';
  }

  #at(field: string): string {
    return this.#path === '' ? field : `${this.#path}.${field}`;
  }
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function describe(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
