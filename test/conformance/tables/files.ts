// What is done with each table and sequence file: an adapter that runs a case, or why it is left out.
import { affinity } from './affinity.ts';
import { localDetectorMatch, localDetectors, podCidrSource } from './detectors.ts';
import { endpointsMap, healthCheckLocalCount, lastChangeTriggerTime } from './endpoint-changes.ts';
import { nodePortAddresses, nodePortAddressesLoopback, zeroCidr } from './node-ports.ts';
import { clusterIpByFamily, serviceCidrs, serviceMap, serviceSkipped, serviceToPorts, splitByFamily } from './services.ts';
import { endpointSliceChangeDetection, endpointSliceMerge, endpointSliceUpdates, localEndpointIps } from './slices.ts';
import type { TableCase } from './table-file.ts';
import { topology } from './topology.ts';

/** [] when the case passes, else what is wrong. */
export type Adapter = (one: TableCase) => string[] | Promise<string[]>;

export const ADAPTERS: Readonly<Record<string, Adapter>> = {
  affinity,
  'cluster-ip-by-family': clusterIpByFamily,
  'endpoints-map': endpointsMap,
  'endpoints-map-tracker': endpointsMap,
  'endpointslice-change-detection': endpointSliceChangeDetection,
  'endpointslice-merge': endpointSliceMerge,
  'endpointslice-updates': endpointSliceUpdates,
  'health-check-local-count': healthCheckLocalCount,
  'last-change-trigger-time': lastChangeTriggerTime,
  'local-detector-match': localDetectorMatch,
  'local-detectors': localDetectors,
  'local-endpoint-ips': localEndpointIps,
  'nodeport-addresses': nodePortAddresses,
  'nodeport-addresses-loopback': nodePortAddressesLoopback,
  'pod-cidr-source': podCidrSource,
  'service-cidrs': serviceCidrs,
  'service-map': serviceMap,
  'service-skipped': serviceSkipped,
  'service-to-ports': serviceToPorts,
  'split-by-family': splitByFamily,
  topology,
  'zero-cidr': zeroCidr,
};

/** Files that load programs. */
export const NEEDS_ROOT: ReadonlySet<string> = new Set(['affinity']);

const COMMAND_LINE = 'not built yet: the configuration tables come with the whole command line';
const NETFILTER = 'not built yet: netfilter and its conntrack come with the nftables and iptables modes';
const NODE = 'not built yet: waiting for the Node and following it come with the whole command line';

export const NOT_YET: Readonly<Record<string, string>> = {
  'address-with-port': COMMAND_LINE,
  'config-api-defaults': COMMAND_LINE,
  'config-defaults': COMMAND_LINE,
  'config-flags': COMMAND_LINE,
  'config-load': COMMAND_LINE,
  'config-reload': COMMAND_LINE,
  'config-sanity': COMMAND_LINE,
  'config-validation': COMMAND_LINE,
  'conntrack-cleanup': NETFILTER,
  'conntrack-invalid': NETFILTER,
  'conntrack-match-rules': NETFILTER,
  'conntrack-max': 'not built yet: the conntrack settings are tested with the whole command line',
  'masquerade-ports': NETFILTER,
  'metrics-catalogue': "not built yet: not all of kube-proxy's metrics are there",
  'metrics-no-local-endpoints': "not built yet: not all of kube-proxy's metrics are there",
  'node-ip-detection': NODE,
  'node-ip-retry': NODE,
  'node-manager': NODE,
  'proxy-health': 'not built yet: the health server has no clock that a test can move',
  'service-health': 'not built yet: nothing listens on health-check node ports',
};
