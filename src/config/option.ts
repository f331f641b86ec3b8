// One row of the option tables: a flag, its place in KubeProxyConfiguration, its kind, default and help.
import type { ValueKind } from './value-kind.ts';

export interface Option<T> {
  /** Without the leading dashes; '' : only in the file. */
  readonly flag: string;
  /** Dotted path in KubeProxyConfiguration; '' : only a flag. */
  readonly field: string;
  readonly kind: ValueKind<T>;
  readonly default: T;
  /** How help names the default when the value itself would not explain it. */
  readonly defaultText?: string;
  readonly help: string;
  /** The flag applies also when --config is given, and wins; kube-proxy ignores all others then. */
  readonly besideConfig: boolean;
}

// biome-ignore lint/suspicious/noExplicitAny: a table holds options of many kinds
export type OptionTable = Readonly<Record<string, Option<any>>>;

/** The values a table describes, by the table's own keys. */
export type OptionValues<Table extends OptionTable> = {
  readonly [Key in keyof Table]: Table[Key] extends Option<infer T> ? T : never;
};
