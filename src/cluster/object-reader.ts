// Reading API objects of unknown shape: every fault names its field, and one fault refuses the object, not the file.
import { canonicalIp } from '../state/ip.ts';

export interface Fault {
  readonly field: string; // 'spec.ports[0].port'
  readonly message: string;
}

type Fields = Readonly<Record<string, unknown>>;

/** Reads fields of one object; faults are collected, and a harmless value stands in so that reading goes on. */
export class ObjectReader {
  readonly #fields: Fields;
  readonly #path: string;
  readonly faults: Fault[];

  constructor(fields: Fields, path = '', faults: Fault[] = []) {
    this.#fields = fields;
    this.#path = path;
    this.faults = faults;
  }

  fault(field: string, message: string): void {
    this.faults.push({ field: this.#at(field), message });
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
    if (isFields(value)) return new ObjectReader(value, this.#at(field), this.faults);
    this.fault(field, `must be an object, not ${describe(value)}`);
    return new ObjectReader({}, this.#at(field), this.faults);
  }

  #canonical(field: string, text: string): string {
    const canonical = canonicalIp(text);
    if (canonical === null) this.fault(field, `is no IP address: ${describe(text)}`);
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
