// Flags and file to one effective Config, by kube-proxy's rules: with --config ordinary flags are ignored, some apply beside it.
import { basename } from 'node:path';
import { canonicalIp, ipFamilyOf } from '../state/ip.ts';
import type { Config, EbpfConfig } from './config.ts';
import { type ConfigFile, readConfigFile } from './config-file.ts';
import { EBPF_OPTIONS } from './ebpf-options.ts';
import { IGNORED_FIELDS, IGNORED_FLAGS, KUBE_PROXY_OPTIONS } from './kube-proxy-options.ts';
import type { Option, OptionTable, OptionValues } from './option.ts';
import { checkValue, type Problem, problemError } from './problem.ts';

/** Flags as given, without dashes, normalised; a flag given several times has several texts. */
export type FlagTexts = ReadonlyMap<string, readonly string[]>;

export interface ConfigSources {
  readonly flags: FlagTexts;
  /** The text of --config's file and its path; null when --config was not given. */
  readonly file: { readonly path: string; readonly text: string } | null;
  /** The machine's host name. */
  readonly hostname: string;
}

export interface LoadedConfig {
  readonly config: Config;
  /** Sentences for the log, in the order they should appear. */
  readonly warnings: readonly string[];
}

type KubeProxyValues = OptionValues<typeof KUBE_PROXY_OPTIONS>;
type EbpfValues = OptionValues<typeof EBPF_OPTIONS>;

const FIELDS = {
  known: [...Object.values(KUBE_PROXY_OPTIONS), ...Object.values(EBPF_OPTIONS)]
    .map(({ field }) => field)
    .filter((field) => field !== ''),
  ignored: IGNORED_FIELDS,
};

/** Throws BAD_CONFIG that names every problem at once. */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const { flags } = sources;
  const file = sources.file === null ? null : readConfigFile(sources.file.text, basename(sources.file.path), FIELDS);
  const problems: Problem[] = [...(file?.problems ?? [])];
  const values: KubeProxyValues = readTable(KUBE_PROXY_OPTIONS, flags, file, problems);
  const ebpf: EbpfValues = readTable(EBPF_OPTIONS, flags, file, problems);
  problems.push(...contradictions(values, ebpf));
  if (problems.length > 0) throw problemError(problems);

  const warnings = [...(file?.warnings ?? []), ...flagWarnings(flags, file !== null)];
  return { config: assemble(sources, file !== null, values, ebpf), warnings };
}

/** Flag, else file, else default, for each row of a table. */
function readTable<Table extends OptionTable>(
  table: Table,
  flags: FlagTexts,
  file: ConfigFile | null,
  problems: Problem[],
): OptionValues<Table> {
  const values: Record<string, unknown> = {};
  for (const [key, option] of Object.entries(table)) values[key] = readOption(option, flags, file, problems);
  return values as OptionValues<Table>;
}

function readOption<T>(option: Option<T>, flags: FlagTexts, file: ConfigFile | null, problems: Problem[]): T {
  const texts = file === null || option.besideConfig ? (flags.get(option.flag) ?? []) : [];
  const last = texts.at(-1);
  if (last !== undefined && (last !== '' || option.kind.acceptsEmpty === true)) {
    const raw =
      option.kind.isList === true ? texts.flatMap((text) => option.kind.fromText(text) as unknown[]) : option.kind.fromText(last);
    return checkValue(option.kind, raw, `--${option.flag}`, problems)?.value ?? option.default;
  }
  const inFile = option.field === '' ? undefined : file?.values.get(option.field);
  // kube-proxy takes '' in the file as "not set", for addresses too.
  if (inFile === undefined || inFile.value === '') return option.default;
  return checkValue(option.kind, inFile.value, `${option.field} at ${inFile.position}`, problems)?.value ?? option.default;
}

/** Values that are each fine but not together. */
function contradictions(values: KubeProxyValues, ebpf: EbpfValues): Problem[] {
  const problems: Problem[] = [];
  const needs = (mode: string, value: string, flag: string, field: string): void => {
    if (values.detectLocalMode !== mode || value !== '') return;
    problems.push({
      setting: `--detect-local-mode=${mode}`,
      value: '',
      reason: `needs --${flag} (${field} in the configuration file)`,
    });
  };
  needs('BridgeInterface', values.podBridgeInterface, 'pod-bridge-interface', 'detectLocal.bridgeInterface');
  needs('InterfaceNamePrefix', values.podInterfaceNamePrefix, 'pod-interface-name-prefix', 'detectLocal.interfaceNamePrefix');
  if (ebpf.minSyncPeriod > ebpf.syncPeriod) {
    problems.push({
      setting: '--ebpf-min-sync-period (ebpf.minSyncPeriod)',
      value: '',
      reason: 'must not be longer than --ebpf-sync-period (ebpf.syncPeriod)',
    });
  }
  return problems;
}

function flagWarnings(flags: FlagTexts, hasFile: boolean): string[] {
  const names = (list: readonly string[]): string =>
    list
      .map((flag) => `--${flag}`)
      .sort()
      .join(', ');
  const given = (flag: string): boolean => flags.has(flag);
  const warnings: string[] = [];
  const overruled = hasFile
    ? Object.values(KUBE_PROXY_OPTIONS).filter((option) => !option.besideConfig && given(option.flag))
    : [];
  if (overruled.length > 0) {
    warnings.push(
      `Flags are ignored because --config is given, as in kube-proxy; set them in the file: ${names(overruled.map(({ flag }) => flag))}`,
    );
  }
  const unused = Object.keys(IGNORED_FLAGS).filter(given);
  if (unused.length > 0) warnings.push(`Flags that this version of turnout does not use yet are ignored: ${names(unused)}`);
  return warnings;
}

function assemble(sources: ConfigSources, hasFile: boolean, values: KubeProxyValues, ebpf: EbpfValues): Config {
  // Only in a file does kube-proxy let an IPv6 bindAddress choose the family of the servers' default addresses.
  const isIpv6 = hasFile && values.bindAddress.includes(':');
  const healthzAddress = values.healthzBindAddress ?? (isIpv6 ? '::' : '0.0.0.0');
  const metricsAddress = values.metricsBindAddress ?? (isIpv6 ? '::1' : '127.0.0.1');
  return {
    hostnameOverride: values.hostnameOverride.trim(),
    nodeName: (values.hostnameOverride || sources.hostname).trim().toLowerCase(),
    proxyMode: values.mode,
    manifests: sources.flags.get('manifests')?.at(-1) ?? '',
    apiServer: { kubeconfig: values.kubeconfig, master: values.master, qps: values.kubeApiQps, burst: values.kubeApiBurst },
    bindAddress: values.bindAddress,
    healthzBindAddress: withPort(healthzAddress, values.healthzPort),
    metricsBindAddress: withPort(metricsAddress, values.metricsPort),
    bindAddressHardFail: values.bindAddressHardFail,
    clusterCIDRs: values.clusterCIDR,
    detectLocalMode: values.detectLocalMode,
    podBridgeInterface: values.podBridgeInterface,
    podInterfaceNamePrefix: values.podInterfaceNamePrefix,
    nodePortAddresses: values.nodePortAddresses,
    masqueradeAll: ebpf.masqueradeAll ?? values.masqueradeAll,
    localhostNodePorts: ebpf.localhostNodePorts ?? values.localhostNodePorts,
    oomScoreAdj: values.oomScoreAdj,
    syncPeriodMs: ebpf.syncPeriod,
    minSyncPeriodMs: ebpf.minSyncPeriod,
    conntrack: {
      maxPerCore: values.conntrackMaxPerCore,
      min: values.conntrackMin,
      tcpEstablishedTimeoutMs: values.conntrackTcpEstablishedTimeout,
      tcpCloseWaitTimeoutMs: values.conntrackTcpCloseWaitTimeout,
      tcpBeLiberal: values.conntrackTcpBeLiberal,
      udpTimeoutMs: values.conntrackUdpTimeout,
      udpStreamTimeoutMs: values.conntrackUdpStreamTimeout,
    },
    ebpf: ebpfConfig(ebpf),
    logging: { format: values.loggingFormat, verbosity: values.verbosity },
  };
}

function ebpfConfig(values: EbpfValues): EbpfConfig {
  return {
    socketPath: { mode: values.socketPathMode, exclude: values.socketPathExclude },
    hostPort: values.hostPort,
    cgroupRoot: values.cgroupRoot,
    bpffsRoot: values.bpffsRoot,
    snatPortRange: values.snatPortRange,
    masqueradeMarkBit: values.masqueradeBit,
    flowTableSize: values.flowTableSize,
    serviceTableSize: values.serviceTableSize,
    backendTableSize: values.backendTableSize,
    affinityTableSize: values.affinityTableSize,
    rejectsPerSecond: values.rejectsPerSecond,
    verifyPeriodMs: values.verifyPeriod,
    devicesInclude: values.devicesInclude,
    devicesExclude: values.devicesExclude,
  };
}

/** A bare IP gets the port; '' and, as with kube-proxy's deprecated port flags, port 0 mean off. */
function withPort(address: string, port: number): string {
  if (address === '' || port === 0) return '';
  const ip = canonicalIp(address);
  if (ip === null) return address;
  return ipFamilyOf(ip) === 'IPv6' ? `[${ip}]:${port}` : `${ip}:${port}`;
}
