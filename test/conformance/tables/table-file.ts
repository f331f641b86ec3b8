// Table and sequence files as they are in cases/ (schema.json), and how to find them.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

// biome-ignore lint/suspicious/noExplicitAny: each file has fields of its own; its adapter knows them
export type Json = any;

export interface TableCase {
  readonly id: string;
  readonly name: string;
  readonly featureGates?: Readonly<Record<string, boolean>>;
  readonly [field: string]: Json;
}

export interface TableFile {
  readonly name: string;
  readonly kind: 'table' | 'sequence';
  readonly cases: readonly TableCase[];
}

/** The table and sequence files of a folder, or of its sub-folder cases/. Throws naming the file that cannot be read. */
export function readTableFiles(folder: string): TableFile[] {
  const paths = ['*.json', 'cases/*.json'].flatMap((pattern) => globSync(join(folder, pattern))).sort();
  const files = paths.map((path): TableFile => {
    try {
      return JSON.parse(readFileSync(path, 'utf8'));
    } catch (error) {
      throw new Error(`${path}: ${(error as Error).message}`);
    }
  });
  const tables = files.filter(({ kind, cases }) => (kind === 'table' || kind === 'sequence') && Array.isArray(cases));
  if (tables.length === 0) throw new Error(`no table or sequence files in ${folder} or its cases/`);
  return tables;
}

/** The ids of a case's units: the case itself, or the checks of a sequence. */
export function unitsOf(file: TableFile, one: TableCase): string[] {
  if (file.kind === 'table') return [one.id];
  return (one['steps'] ?? []).flatMap((step: Json) => (step.checks ?? []).map((check: Json) => check.id));
}
