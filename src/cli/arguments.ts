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
import type { Command } from './command.ts';
import { CLEANUP } from './commands/cleanup.ts';
import { SUB_COMMANDS } from './commands/list.ts';
import { type FlagArity, normalizeFlags } from './flag-syntax.ts';
import { formatItem, HELP_TERM_WIDTH, optionTerm } from './help-layout.ts';
import { HELP_GROUPS, optionHelp, ROOT_HELP } from './help-text.ts';
import { effectiveCapabilities, requireCapabilities } from './privilege.ts';
import { isTrue, type SubCommand, textOf, usageError } from './sub-command.ts';

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

const OWN_FLAGS: Readonly<Record<string, FlagArity>> = {
  config: 'value',
  manifests: 'value',
  cleanup: 'boolean',
  version: 'boolean',
  help: 'boolean',
};
/** Flags of each sub-command; a name may be a switch of one and take a value of another. */
const COMMAND_FLAGS: ReadonlyMap<string, ReadonlyMap<string, FlagArity>> = new Map(
  SUB_COMMANDS.map(({ name, flags }) => [
    name,
    new Map(flags.map((flag) => [flag.name, flag.placeholder === undefined || flag.isOptional === true ? 'boolean' : 'value'])),
  ]),
);

/** Throws a TurnoutError with exit code 2 for anything that was asked wrongly; its message names all of it. */
export function parseArguments(argv: readonly string[], options: ArgumentOptions): Command {
  const settings: readonly Option<unknown>[] = [...Object.values(KUBE_PROXY_OPTIONS), ...Object.values(EBPF_OPTIONS)];
  const arities = new Map<string, FlagArity>([
    ...Object.entries(OWN_FLAGS),
    ...[...COMMAND_FLAGS.values()].flatMap((flags) => [...flags]),
    ...Object.entries(IGNORED_FLAGS),
  ]);
  for (const option of settings) arities.set(option.flag, option.kind.isBoolean === true ? 'boolean' : 'value');
  const normalized = normalizeFlags(argv, arities, COMMAND_FLAGS).flatMap(plainHelp);
  const [first, topic] = normalized;
  if (first === 'help' && topic !== undefined && !topic.startsWith('-') && !subCommand(topic)) throw unknownCommand(topic);

  let printed = '';
  let command: Command | null = null;
  const parser = buildParser(settings, {
    print: (text) => {
      printed += text;
    },
    columns: options.columns ?? 100,
    run: (subCommand, flags, operands) => {
      command = buildCommand(subCommand, flags, operands, options);
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
  /** subCommand is null for the proxy itself. */
  readonly run: (subCommand: SubCommand | null, flags: FlagTexts, operands: readonly string[]) => void;
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
  root.action((_options: unknown, parser: Parser) => hooks.run(null, flagTexts(parser), parser.args));
  for (const subCommand of SUB_COMMANDS) addCommand(root, subCommand, hooks);
  return root;
}

function addCommand(root: Parser, subCommand: SubCommand, hooks: ParserHooks): void {
  const { name, summary, description, examples, flags, operands } = subCommand;
  const command = root
    .command(name)
    .summary(summary)
    .usage(operands === undefined ? '[flags]' : `[flags] ${operands}`)
    .description(description)
    .helpOption('-h, --help', 'Print this.')
    .addHelpText('after', `\n${examples}`);
  for (const flag of flags) {
    const short = flag.short === undefined ? '' : `-${flag.short}, `;
    const value = flag.isOptional === true ? `[${flag.placeholder}]` : `<${flag.placeholder ?? 'true|false'}>`;
    command.addOption(textOption(`${short}--${flag.name} ${value}`, flag.help));
  }
  command.action((_options: unknown, parser: Parser) => hooks.run(subCommand, flagTexts(parser), parser.args));
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
  subCommand: SubCommand | null,
  flags: FlagTexts,
  operands: readonly string[],
  options: ArgumentOptions,
): Command {
  const given = operands.filter((text) => text !== '');
  const [operand] = given;
  if (operand !== undefined && subCommand?.operands === undefined) {
    if (subCommand === null) throw unknownCommand(operand);
    throw usageError('BAD_ARGUMENTS', `turnout ${subCommand.name} takes no argument "${operand}"`);
  }
  const version = textOf(flags, 'version');
  if (version !== null && version !== 'false') return { kind: 'print', text: `turnout ${options.version}\n` };
  const context: LoadedConfig = loadConfig({
    flags,
    file: readConfig(textOf(flags, 'config') ?? '', options),
    hostname: options.hostname ?? hostname(),
  });
  const asked = subCommand ?? (isTrue(flags, 'cleanup') ? CLEANUP : null);
  const needs = (what: string, isChange: boolean): void =>
    requireCapabilities(what, options.capabilities ?? effectiveCapabilities(), isChange);
  if (asked !== null) {
    const command = asked.build(context, flags, given);
    needs(`turnout ${asked.name}`, asked.isChange === true);
    return command;
  }
  const { config } = context;
  const { kubeconfig, master } = config.apiServer;
  if (config.manifests + kubeconfig + master === '' && !(options.isInCluster ?? isInCluster())) {
    throw usageError(
      'NO_SOURCE',
      'nothing says where Services come from, and this is no pod of a cluster',
      'start with --kubeconfig=FILE, or with --manifests=DIR, a folder of Service and EndpointSlice files',
    );
  }
  if (config.proxyMode === 'ebpf') needs('mode ebpf', true);
  return { kind: 'run', ...context };
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

/** The parser knows no --help=true, which is what normalizeFlags() makes of --help; --help=false asks for nothing. */
function plainHelp(argument: string): string[] {
  if (!argument.startsWith('--help=')) return [argument];
  return /=(?:0|f|false)$/i.test(argument) ? [] : ['--help'];
}

const subCommand = (text: string): SubCommand | undefined => SUB_COMMANDS.find(({ name }) => name === text);

function unknownCommand(text: string): TurnoutError {
  const best = nearest(text, [...SUB_COMMANDS.map(({ name }) => name), 'help']);
  return usageError('UNKNOWN_COMMAND', `unknown command "${text}"${best === null ? '' : ` (did you mean ${best}?)`}`);
}

/** What is left for the parser to refuse: flags of one command given to another. */
function misplacedFlag(error: CommanderError): TurnoutError {
  const flag = /unknown option '(--[^'=]+)/.exec(error.message)?.[1];
  if (flag === undefined) return usageError('BAD_ARGUMENTS', error.message.replace(/^error: /, ''));
  const owners = SUB_COMMANDS.filter(({ flags }) => flags.some(({ name }) => `--${name}` === flag)).map(({ name }) => name);
  return usageError(
    'BAD_ARGUMENTS',
    `${flag} is a flag of ${owners.map((name) => `turnout ${name}`).join(', ') || 'another command'}`,
    `\`turnout help ${owners[0] ?? 'status'}\` explains it`,
  );
}
