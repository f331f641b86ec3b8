// What the user asked for, as a value. main.ts switches on `kind`.
import type { Config } from '../config/config.ts';
import type { FlowsOptions } from './commands/flows.ts';
import type { MonitorOptions } from './commands/monitor.ts';
import type { TopOptions } from './commands/top.ts';
import type { ExplainQuestion } from './explain-report.ts';

export type OutputFormat = 'table' | 'json';

/** The settings that find a node's datapath; every command that looks at it takes them. */
export type Command =
  /** Run the proxy until SIGTERM. `--cleanup` arrives as `cleanup`. Log `warnings` once the logger exists, then go on. */
  | { readonly kind: 'run'; readonly config: Config; readonly warnings: readonly string[] }
  | { readonly kind: 'status'; readonly config: Config; readonly output: OutputFormat; readonly warnings: readonly string[] }
  | {
      readonly kind: 'services';
      readonly config: Config;
      readonly output: OutputFormat;
      /** Show only Services of this namespace; '' : all. */
      readonly namespace: string;
      /** Print every endpoint, not the first few. */
      readonly allEndpoints: boolean;
      readonly warnings: readonly string[];
    }
  | { readonly kind: 'flows'; readonly config: Config; readonly options: FlowsOptions; readonly warnings: readonly string[] }
  | { readonly kind: 'top'; readonly config: Config; readonly options: TopOptions; readonly warnings: readonly string[] }
  | { readonly kind: 'monitor'; readonly config: Config; readonly options: MonitorOptions; readonly warnings: readonly string[] }
  | { readonly kind: 'verify'; readonly config: Config; readonly output: OutputFormat; readonly warnings: readonly string[] }
  | {
      readonly kind: 'explain';
      readonly config: Config;
      readonly output: OutputFormat;
      readonly question: ExplainQuestion;
      readonly warnings: readonly string[];
    }
  | {
      readonly kind: 'doctor';
      readonly config: Config;
      readonly output: OutputFormat;
      /** 'namespace/name'; '' : all. */
      readonly service: string;
      readonly warnings: readonly string[];
    }
  | { readonly kind: 'cleanup'; readonly config: Config; readonly warnings: readonly string[] }
  /** Print `text` to standard output and exit with 0: help, version. */
  | { readonly kind: 'print'; readonly text: string };
