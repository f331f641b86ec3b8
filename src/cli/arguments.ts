// The command line: argv in, one Command out. Nothing is printed here; what is read is --config's file and what we may do.
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { CommanderError, Command as Parser, Option as ParserOption } from 'commander';
import { EBPF_OPTIONS } from '../config/ebpf-options.ts';
import { IGNORED_FLAGS, KUBE_PROXY_OPTIONS } from '../config/kube-proxy-options.ts';
import { type FlagTexts, type LoadedConfig, loadConfig } from '../config/load-config.ts';
import { nearest } from '../config/nearest.ts';
import type { Option } from '../config/option.ts';
import { EXIT_USAGE, TurnoutError } from '../errors.ts';
import type { Command, OutputFormat } from './command.ts';
import { type FlagArity, normalizeFlags } from './flag-syntax.ts';
import { formatItem, HELP_TERM_WIDTH, optionTerm } from './help-layout.ts';
import { COMMAND_HELP, type CommandName, HELP_GROUPS, optionHelp, ROOT_HELP } from './help-text.ts';
import { effectiveCapabilities, requireCapabilities } from './privilege.ts';

export interface ArgumentOptions {
  /** Printed by --version. */
  readonly version: string;
  /** The machine's host name; os.hostname() when left out. */
  readonly hostname?: string;
  /** Reads --config's file; throws as readFileSync does. */
  readonly readFile?: (path: string) => string;
  /** Columns of the terminal, for help; 100 when left out. */
  readonly columns?: number;
  /** This process runs in a pod, whose service account reaches the API server; found out when left out. */
  readonly isInCluster?: boolean;
  /** Mask of what this process may do; its own when left out. */
  readonly capabilities?: bigint;
}

const COMMANDS: readonly CommandName[] = ['status', 'services', 'cleanup'];
const OWN_FLAGS: Readonly<Record<string, FlagArity>> = {
  config: 'value',
  manifests: 'value',
  cleanup: 'boolean',
  version: 'boolean',
  help: 'boolean',
};
const COMMAND_FLAGS: Readonly<Record<string, FlagArity>> = { output: 'value', namespace: 'value', 'all-endpoints': 'boolean' };

/** Throws a TurnoutError with exit code 2 for anything that was asked wrongly; its message names all of it. */
export function parseArguments(argv: readonly string[], options: ArgumentOptions): Command {
  const settings: readonly Option<unknown>[] = [...Object.values(KUBE_PROXY_OPTIONS), ...Object.values(EBPF_OPTIONS)];
  const arities = new Map<string, FlagArity>([
    ...Object.entries(OWN_FLAGS),
    ...Object.entries(COMMAND_FLAGS),
    ...Object.entries(IGNORED_FLAGS),
  ]);
  for (const option of settings) arities.set(option.flag, option.kind.isBoolean === true ? 'boolean' : 'value');
  const normalized = normalizeFlags(argv, arities).flatMap(plainHelp);
  const [first, topic] = normalized;
  if (first === 'help' && topic !== undefined && !topic.startsWith('-') && !isCommandName(topic)) throw unknownCommand(topic);

  let printed = '';
  let command: Command | null = null;
  const parser = buildParser(settings, {
    print: (text) => {
      printed += text;
    },
    columns: options.columns ?? 100,
    run: (name, flags, operands) => {
      command = buildCommand(name, flags, operands, options);
    },
  });
  try {
    parser.parse(normalized, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0) throw misplacedFlag(error);
    return { kind: 'print', text: printed };
  }
  if (command === null) return { kind: 'print', text: printed };
  return command;
}

interface ParserHooks {
  readonly print: (text: string) => void;
  readonly columns: number;
  readonly run: (name: CommandName | 'run', flags: FlagTexts, operands: readonly string[]) => void;
}

function buildParser(settings: readonly Option<unknown>[], hooks: ParserHooks): Parser {
  const root = new Parser('turnout')
    .usage('[flags]\n       turnout COMMAND [flags]')
    .description(ROOT_HELP.description)
    .helpOption('-h, --help', 'Print this.')
    .helpCommand('help [command]', 'Explain a command.')
    .allowExcessArguments(true)
    .exitOverride()
    .configureOutput({ writeOut: hooks.print, writeErr: () => undefined, getOutHelpWidth: () => hooks.columns })
    .configureHelp({ optionTerm, subcommandTerm: (command) => command.name(), padWidth: () => HELP_TERM_WIDTH, formatItem })
    .addHelpText('after', `\n${ROOT_HELP.examples}`);
  root.addOption(
    textOption(
      'manifests <DIR>',
      'Folder of Service, EndpointSlice, Node and ServiceCIDR objects, YAML or JSON; followed while running.',
    ).helpGroup(HELP_GROUPS.turnout),
  );
  for (const option of settings) {
    const group = option.flag.startsWith('ebpf-') ? HELP_GROUPS.turnout : HELP_GROUPS.kubeProxy;
    const flag = option.flag === 'v' ? '-v, --v' : `--${option.flag}`;
    root.addOption(textOption(`${flag} <${option.kind.placeholder}>`, optionHelp(option)).helpGroup(group));
  }
  root.addOption(
    textOption(
      'config <FILE>',
      'KubeProxyConfiguration, YAML or JSON; flags marked * apply beside it, the others are ignored then.',
    ).helpGroup(HELP_GROUPS.kubeProxy),
  );
  root.addOption(
    textOption(
      'cleanup <true|false>',
      'Remove everything turnout put into the kernel, and exit; as `turnout cleanup`.',
    ).helpGroup(HELP_GROUPS.kubeProxy),
  );
  root.addOption(textOption('version <true|false>', 'Print the version.').helpGroup(HELP_GROUPS.kubeProxy));
  for (const flag of Object.keys(IGNORED_FLAGS)) root.addOption(textOption(`${flag} <VALUE>`, '').hideHelp());
  root.action((_options: unknown, parser: Parser) => hooks.run('run', flagTexts(parser), parser.args));
  for (const name of COMMANDS) addCommand(root, name, hooks);
  return root;
}

function addCommand(root: Parser, name: CommandName, hooks: ParserHooks): void {
  const help = COMMAND_HELP[name];
  const command = root
    .command(name)
    .summary(help.summary)
    .usage('[flags]')
    .description(help.description)
    .helpOption('-h, --help', 'Print this.')
    .addHelpText('after', `\n${help.examples}`);
  if (name !== 'cleanup')
    command.addOption(
      textOption('-o, --output <table|json>', 'How to print it: table for people, json for programs. (default: table)'),
    );
  if (name === 'services') {
    command.addOption(textOption('-n, --namespace <NAME>', 'Only Services of this namespace. (default: all)'));
    command.addOption(textOption('all-endpoints <true|false>', 'Print every endpoint, not only the first three.'));
  }
  command.action((_options: unknown, parser: Parser) => hooks.run(name, flagTexts(parser), parser.args));
}

/** An option that collects each text it is given; what the texts mean is decided by the option tables. */
function textOption(flags: string, help: string): ParserOption {
  return new ParserOption(flags.startsWith('-') ? flags : `--${flags}`, help).argParser(
    (text: string, previous: string[] | undefined) => [...(previous ?? []), text],
  );
}

/** What was given for a command and for the program, by long flag name. */
function flagTexts(parser: Parser): FlagTexts {
  const texts = new Map<string, readonly string[]>();
  for (const owner of [parser.parent, parser]) {
    for (const option of owner?.options ?? []) {
      const given = owner?.getOptionValue(option.attributeName()) as readonly string[] | undefined;
      if (given !== undefined) texts.set(option.name(), given);
    }
  }
  return texts;
}

function buildCommand(
  name: CommandName | 'run',
  flags: FlagTexts,
  operands: readonly string[],
  options: ArgumentOptions,
): Command {
  const [operand] = operands.filter((text) => text !== '');
  if (operand !== undefined) {
    if (name === 'run') throw unknownCommand(operand);
    throw usageError('BAD_ARGUMENTS', `turnout ${name} takes no argument "${operand}"`);
  }
  const version = flags.get('version')?.at(-1);
  if (version !== undefined && version !== 'false') return { kind: 'print', text: `turnout ${options.version}\n` };
  const { config, warnings }: LoadedConfig = loadConfig({
    flags,
    file: readConfig(flags.get('config')?.at(-1) ?? '', options),
    hostname: options.hostname ?? hostname(),
  });
  const needs = (what: string, isChange: boolean): void =>
    requireCapabilities(what, options.capabilities ?? effectiveCapabilities(), isChange);
  if (name === 'cleanup' || (name === 'run' && isTrue(flags, 'cleanup'))) {
    needs('turnout cleanup', true);
    return { kind: 'cleanup', config, warnings };
  }
  if (name === 'run') {
    const { kubeconfig, master } = config.apiServer;
    if (config.manifests + kubeconfig + master === '' && !(options.isInCluster ?? isInCluster())) {
      throw usageError(
        'NO_SOURCE',
        'nothing says where Services come from, and this is no pod of a cluster',
        'start with --kubeconfig=FILE, or with --manifests=DIR, a folder of Service and EndpointSlice files',
      );
    }
    if (config.proxyMode === 'ebpf') needs('mode ebpf', true);
    return { kind: 'run', config, warnings };
  }
  const output = outputFormat(flags);
  needs(`turnout ${name}`, false);
  if (name === 'status') return { kind: 'status', config, output, warnings };
  return {
    kind: 'services',
    config,
    output,
    namespace: flags.get('namespace')?.at(-1) ?? '',
    allEndpoints: isTrue(flags, 'all-endpoints'),
    warnings,
  };
}

/** As client-go finds out. */
const isInCluster = (): boolean => Boolean(process.env['KUBERNETES_SERVICE_HOST'] && process.env['KUBERNETES_SERVICE_PORT']);

function readConfig(path: string, options: ArgumentOptions): { readonly path: string; readonly text: string } | null {
  if (path === '') return null;
  try {
    return { path, text: (options.readFile ?? ((file: string) => readFileSync(file, 'utf8')))(path) };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const reason =
      code === 'ENOENT' ? 'there is no such file' : code === 'EACCES' ? 'no permission to read it' : (error as Error).message;
    throw new TurnoutError('CONFIG_UNREADABLE', `cannot read --config=${path}: ${reason}`, {
      hint: 'give the path of a KubeProxyConfiguration file, or leave out --config and use flags',
      exitCode: EXIT_USAGE,
      cause: error,
    });
  }
}

function isTrue(flags: FlagTexts, name: string): boolean {
  const text = flags.get(name)?.at(-1) ?? 'false';
  if (/^(?:1|t|true)$/i.test(text)) return true;
  if (/^(?:0|f|false)$/i.test(text)) return false;
  throw usageError('BAD_ARGUMENTS', `--${name}: "${text}" must be true or false`);
}

function outputFormat(flags: FlagTexts): OutputFormat {
  const text = flags.get('output')?.at(-1) ?? 'table';
  if (text === 'table' || text === 'json') return text;
  throw usageError('BAD_ARGUMENTS', `--output: "${text}" must be table or json`);
}

/** The parser knows no --help=true, which is what normalizeFlags() makes of --help; --help=false asks for nothing. */
function plainHelp(argument: string): string[] {
  if (!argument.startsWith('--help=')) return [argument];
  return /=(?:0|f|false)$/i.test(argument) ? [] : ['--help'];
}

function isCommandName(text: string): text is CommandName {
  return (COMMANDS as readonly string[]).includes(text);
}

function unknownCommand(text: string): TurnoutError {
  const best = nearest(text, [...COMMANDS, 'help']);
  return usageError('UNKNOWN_COMMAND', `unknown command "${text}"${best === null ? '' : ` (did you mean ${best}?)`}`);
}

/** What is left for the parser to refuse: flags of one command given to another. */
function misplacedFlag(error: CommanderError): TurnoutError {
  const flag = /unknown option '(--[^'=]+)/.exec(error.message)?.[1];
  if (flag === undefined) return usageError('BAD_ARGUMENTS', error.message.replace(/^error: /, ''));
  return usageError(
    'BAD_ARGUMENTS',
    `${flag} is a flag of another command`,
    '`turnout help services` and `turnout help status` tell which',
  );
}

function usageError(code: string, message: string, hint = '`turnout --help` shows how it is called'): TurnoutError {
  return new TurnoutError(code, message, { hint, exitCode: EXIT_USAGE });
}
