// What `--help` says beyond the list of flags.
import { formatGoDuration } from '../config/go-duration.ts';
import type { Option } from '../config/option.ts';

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
  turnout flows --service=default/web
      Who talks to a Service now, and how much.
  turnout monitor --drops --rejects
      What is refused, as it happens, and why.
  turnout top
      Services by what they do in a second.
  turnout verify
      Is the kernel as it should be? Compare everything now.
  turnout cleanup
      Remove every trace of it from the kernel.`,
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
