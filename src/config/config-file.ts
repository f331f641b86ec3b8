// Reads a KubeProxyConfiguration (YAML or JSON): known fields with their positions, unknown ones, and what is ignored so far.
import { type Document, isAlias, isMap, isScalar, LineCounter, type Node, parseAllDocuments, visit } from 'yaml';
import { nearest } from './nearest.ts';
import type { Problem } from './problem.ts';

export const CONFIG_API_VERSION = 'kubeproxy.config.k8s.io/v1alpha1';
export const CONFIG_KIND = 'KubeProxyConfiguration';

export interface FileValue {
  /** A plain value: scalar or list. Never null: a field set to nothing counts as not set. */
  readonly value: unknown;
  /** 'config.yaml:3:8' */
  readonly position: string;
}

export interface ConfigFile {
  readonly values: ReadonlyMap<string, FileValue>; // by dotted field
  readonly problems: readonly Problem[];
  readonly warnings: readonly string[];
}

export interface ConfigFields {
  /** Dotted names of the fields that work. */
  readonly known: readonly string[];
  /** Dotted names that are legal but do nothing yet; a name ending in .* covers everything below it. */
  readonly ignored: readonly string[];
}

/** Parses `text`; `name` is the file's path for positions. Never throws: what is wrong comes back as problems. */
export function readConfigFile(text: string, name: string, fields: ConfigFields): ConfigFile {
  const lines = new LineCounter();
  const positionOf = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${name}:${line}:${col}`;
  };
  // Duplicate keys are found below: kube-proxy goes on with the last one and says so.
  const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false });
  const documents =
    'empty' in parsed ? [] : parsed.filter((document) => document.contents !== null || document.errors.length > 0);
  const failed = (setting: string, reason: string): ConfigFile => ({
    values: new Map(),
    problems: [{ setting, value: '', reason }],
    warnings: [],
  });

  const syntaxErrors = documents.flatMap((document) => document.errors);
  if (syntaxErrors.length > 0) {
    const problems = syntaxErrors.map((error) => ({
      setting: positionOf(error.pos[0]),
      value: '',
      reason: `is not valid YAML: ${error.message}`,
    }));
    return { values: new Map(), problems, warnings: [] };
  }
  const [document, second] = documents;
  if (document === undefined) return failed(name, `is empty; it must hold one ${CONFIG_KIND}`);
  if (second !== undefined) return failed(name, `holds ${documents.length} documents; it must hold one ${CONFIG_KIND} only`);
  if (!isMap(document.contents)) return failed(name, `must hold one ${CONFIG_KIND}, a mapping of fields`);

  const badAliases = aliasProblems(document, positionOf);
  if (badAliases.length > 0) return { values: new Map(), problems: badAliases, warnings: [] };
  const walk = new FieldWalk(document, positionOf, fields);
  try {
    walk.visit(document.contents, '');
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    // The reader stops at aliases of aliases that would fill the memory.
    return failed(name, `cannot be read: its aliases refer to too much (${(error as Error).message})`);
  }
  return walk.result();
}

/** Aliases of nothing, and aliases inside what they stand for: neither has a value. */
function aliasProblems(document: Document, positionOf: (offset: number) => string): Problem[] {
  const problems: Problem[] = [];
  visit(document, {
    Alias(_key, alias, ancestors) {
      const target = alias.resolve(document);
      const reason = target === undefined ? 'refers to no anchor' : 'refers to the value it is part of';
      if (target === undefined || ancestors.includes(target)) {
        problems.push({ setting: positionOf(alias.range?.[0] ?? 0), value: '', reason: `alias *${alias.source} ${reason}` });
      }
    },
  });
  return problems;
}

/** Collects while it walks the mappings of one document. */
class FieldWalk {
  readonly #document: Document;
  readonly #positionOf: (offset: number) => string;
  readonly #known: ReadonlySet<string>;
  readonly #ignored: ReadonlySet<string>;
  readonly #openSections: readonly string[];
  readonly #sections: ReadonlySet<string>;
  readonly #values = new Map<string, FileValue>();
  readonly #problems: Problem[] = [];
  readonly #ignoredHere: string[] = [];
  readonly #unknownHere: string[] = [];
  readonly #duplicateHere: string[] = [];

  constructor(document: Document, positionOf: (offset: number) => string, fields: ConfigFields) {
    this.#document = document;
    this.#positionOf = positionOf;
    this.#known = new Set(['apiVersion', 'kind', ...fields.known]);
    this.#ignored = new Set(fields.ignored);
    this.#openSections = fields.ignored.filter((name) => name.endsWith('.*')).map((name) => name.slice(0, -2));
    const all = [...this.#known, ...this.#ignored];
    this.#sections = new Set(all.flatMap((name) => (name.includes('.') ? [name.slice(0, name.lastIndexOf('.'))] : [])));
  }

  visit(map: Node, section: string): void {
    if (!isMap(map)) return;
    const seen = new Set<string>();
    for (const pair of map.items) {
      const key = isScalar(pair.key) ? String(pair.key.value) : String(pair.key);
      const field = section === '' ? key : `${section}.${key}`;
      const keyNode = pair.key as Node | null;
      const raw = pair.value as Node | null;
      const value = isAlias(raw) ? (raw.resolve(this.#document) ?? null) : raw;
      const position = this.#positionOf(value?.range?.[0] ?? keyNode?.range?.[0] ?? 0);
      if (seen.has(key)) this.#duplicateHere.push(`${field} (${this.#positionOf(keyNode?.range?.[0] ?? 0)})`);
      seen.add(key);
      this.#visitField(field, value, position, this.#positionOf(keyNode?.range?.[0] ?? 0), section);
    }
  }

  #visitField(field: string, node: Node | null, position: string, keyPosition: string, section: string): void {
    const plain: unknown = node === null ? null : node.toJS(this.#document);
    if (this.#openSections.includes(field)) {
      if (!isEmpty(plain)) this.#ignoredHere.push(field);
    } else if (this.#sections.has(field)) {
      if (plain === null) return;
      if (isMap(node)) this.visit(node, field);
      else
        this.#problems.push({
          setting: `${field} at ${position}`,
          value: JSON.stringify(plain),
          reason: `must be a mapping of fields, such as ${this.#fieldOf(field)}`,
        });
    } else if (this.#known.has(field)) {
      if (plain === null) this.#values.delete(field);
      else if (isMap(node)) {
        this.#problems.push({ setting: `${field} at ${position}`, value: '', reason: 'must be a single value, not a mapping' });
      } else this.#values.set(field, { value: plain, position });
    } else if (this.#ignored.has(field)) {
      if (!isEmpty(plain)) this.#ignoredHere.push(field);
    } else {
      this.#unknownHere.push(`${field} (${keyPosition}${this.#suggestion(field, section)})`);
    }
  }

  /** The first field of a section, in full. */
  #fieldOf(section: string): string {
    return [...this.#known, ...this.#ignored].find((name) => name.startsWith(`${section}.`)) ?? '';
  }

  /** ', did you mean syncPeriod?' when a field of the same section is spelled much like it. */
  #suggestion(field: string, section: string): string {
    const prefix = section === '' ? '' : `${section}.`;
    const siblings = [...this.#known, ...this.#ignored, ...this.#sections]
      .filter((name) => name.startsWith(prefix))
      .map((name) => name.slice(prefix.length))
      .filter((name) => name !== '' && !name.includes('.'));
    const best = nearest(field.slice(prefix.length), siblings);
    return best === null ? '' : `, did you mean ${best}?`;
  }

  result(): ConfigFile {
    const problems = [...this.#kindProblems(), ...this.#problems];
    const warnings: string[] = [];
    if (this.#duplicateHere.length > 0)
      warnings.push(`Fields set twice in the configuration file; the last value counts: ${this.#duplicateHere.join(', ')}`);
    if (this.#unknownHere.length > 0)
      warnings.push(`Unknown fields in the configuration file are ignored: ${this.#unknownHere.join(', ')}`);
    if (this.#ignoredHere.length > 0) {
      const names = [...new Set(this.#ignoredHere)].join(', ');
      warnings.push(`Fields of the configuration file that this version of turnout does not use yet are ignored: ${names}`);
    }
    return { values: this.#values, problems, warnings };
  }

  #kindProblems(): Problem[] {
    const expected = { apiVersion: CONFIG_API_VERSION, kind: CONFIG_KIND };
    return Object.entries(expected).flatMap(([field, wanted]) => {
      const found = this.#values.get(field);
      if (found?.value === wanted) return [];
      const where = found?.position ?? this.#positionOf(0);
      return [
        {
          setting: `${field} at ${where}`,
          value: found === undefined ? '' : JSON.stringify(found.value),
          reason: `${found === undefined ? 'is missing; it ' : ''}must be ${wanted}`,
        },
      ];
    });
  }
}

/** kube-proxy's files (kubeadm's above all) spell out many fields with empty values, which say nothing. */
function isEmpty(value: unknown): boolean {
  if (value === null || value === '' || value === 0 || value === false || value === '0' || value === '0s') return true;
  return typeof value === 'object' && Object.values(value as object).every(isEmpty);
}
