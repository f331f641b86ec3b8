// What `--help` says beyond the list of flags.
import { formatGoDuration } from '../config/go-duration.ts';
import type { Option } from '../config/option.ts';

export type CommandName = 'status' | 'services' | 'cleanup';

export const HELP_GROUPS = {
  turnout: "Turnout's own flags (all apply beside --config, and win):",
  kubeProxy: "kube-proxy's flags (* applies beside --config):",
};

export const ROOT_HELP = {
  description:
    'A drop-in kube-proxy whose Services are translated in eBPF. Without a command it runs the proxy until SIGTERM; the datapath ' +
    'stays in the kernel and goes on working when the process ends. kube-proxy flags that are not listed are accepted and ' +
    'ignored with a warning.',
  examples: `Examples:
  turnout --manifests=/etc/turnout/manifests --cluster-cidr=10.244.0.0/16
      Translate the Services described in a folder of YAML files.
  turnout --config=/var/lib/kube-proxy/config.conf --manifests=/etc/turnout/manifests
      The same with kube-proxy's configuration file.
  turnout status
      Is it running, where is it attached, what did it refuse?
  turnout services
      Every Service address and where it leads.
  turnout cleanup
      Remove every trace of it from the kernel.`,
};

export const COMMAND_HELP: Readonly<
  Record<CommandName, { readonly summary: string; readonly description: string; readonly examples: string }>
> = {
  status: {
    summary: 'Show whether the datapath is in force, and what it refused.',
    description:
      'Shows the version, the running process, where programs are attached, how full the tables are, and what was refused. ' +
      'Reads the pinned maps, so it works whether or not the proxy is running. Needs root. ' +
      'Takes --config, --ebpf-bpffs-root and --ebpf-cgroup-root as the proxy does; give them when the proxy was given them.',
    examples: `Examples:
  turnout status
  turnout status --output=json | jq .drops
  turnout status --ebpf-bpffs-root=/run/node-a/bpf
      The node whose proxy was started with that flag.`,
  },
  services: {
    summary: 'List the Services that are translated, with their endpoints.',
    description:
      'Lists every address and port that is translated: its Service, its endpoints, and its counters. ' +
      'CONNECTIONS and REJECTS count for a Service port in one IP family, through whichever address, and stand on its first ' +
      'line (in JSON, on each). External is an external or a load-balancer IP; * is any node-port address of this node. ' +
      'Reads the pinned maps, so it shows what the kernel does, whether or not the proxy is running. Needs root. ' +
      'Takes --config, --ebpf-bpffs-root and --ebpf-cgroup-root as the proxy does; give them when the proxy was given them.',
    examples: `Examples:
  turnout services
  turnout services -n kube-system --all-endpoints
  turnout services --output=json | jq '.[] | select(.endpoints == [])'
      Services without an endpoint to send to.`,
  },
  cleanup: {
    summary: 'Remove everything turnout put into the kernel.',
    description:
      'Detaches the programs and removes the pins, maps and rules of turnout, and nothing else. Connections through ' +
      'Services stop working. Removing what is not there is success. Stop the proxy first, or it puts all of it back. ' +
      'Takes --config, --ebpf-bpffs-root and --ebpf-cgroup-root as the proxy does; give them when the proxy was given them. ' +
      'Needs root.',
    examples: `Examples:
  turnout cleanup
  turnout --cleanup
      The same, as kube-proxy spells it.`,
  },
};

/** One option's help sentence with its default. */
export function optionHelp(option: Option<unknown>): string {
  const mark = option.besideConfig && !option.flag.startsWith('ebpf-') ? '* ' : '';
  return `${mark}${option.help} (default: ${defaultText(option)})`;
}

/** How a person reads an option's default. */
export function defaultText(option: Option<unknown>): string {
  if (option.defaultText !== undefined) return option.defaultText;
  if (option.kind.placeholder === 'DURATION') return formatGoDuration(option.default as number);
  return option.default === '' ? 'none' : String(option.default);
}
