// The effective configuration, after flags, file and defaults. Durations in milliseconds, ports in host order.
export interface Config {
  readonly hostnameOverride: string; // '' : os.hostname()
  readonly nodeName: string; // resolved, lower case
  readonly proxyMode: 'ebpf' | 'fake';
  readonly manifests: string; // folder; '' : API server
  readonly apiServer: {
    readonly kubeconfig: string; // path; '' and no master: the in-cluster credentials
    readonly master: string; // URL that replaces the kubeconfig's server
    readonly qps: number; // below 0: no limit
    readonly burst: number;
  };
  readonly bindAddress: string;
  readonly healthzBindAddress: string; // 'ip:port', '' : off
  readonly metricsBindAddress: string;
  readonly bindAddressHardFail: boolean;
  readonly clusterCIDRs: readonly string[]; // at most one each family
  readonly detectLocalMode: 'ClusterCIDR' | 'NodeCIDR' | 'BridgeInterface' | 'InterfaceNamePrefix';
  readonly podBridgeInterface: string;
  readonly podInterfaceNamePrefix: string;
  readonly nodePortAddresses: readonly string[]; // CIDRs, 'primary', 'localhost', 'all'; empty: all
  readonly masqueradeAll: boolean;
  readonly localhostNodePorts: boolean;
  readonly oomScoreAdj: number;
  readonly syncPeriodMs: number;
  readonly minSyncPeriodMs: number;
  readonly conntrack: {
    readonly maxPerCore: number;
    readonly min: number;
    readonly tcpEstablishedTimeoutMs: number; // 0: built-in default
    readonly tcpCloseWaitTimeoutMs: number;
    readonly tcpBeLiberal: boolean;
    readonly udpTimeoutMs: number;
    readonly udpStreamTimeoutMs: number;
  };
  readonly ebpf: EbpfConfig;
  readonly logging: { readonly format: 'text' | 'json'; readonly verbosity: number };
}
export interface EbpfConfig {
  readonly socketPath: {
    readonly mode: 'tcp' | 'all' | 'off';
    readonly exclude: readonly string[]; // patterns of cgroup paths below cgroupRoot (cgroup-pattern.ts)
  };
  readonly hostPort: boolean;
  readonly cgroupRoot: string; // '' : the cgroup2 mount of our mount namespace
  readonly bpffsRoot: string; // '' : the bpffs mount of our mount namespace, /sys/fs/bpf mounted if there is none
  readonly snatPortRange: { readonly min: number; readonly max: number };
  readonly masqueradeMarkBit: number; // 14
  readonly flowTableSize: number; // flows; the entry table has four times as many rows
  readonly serviceTableSize: number; // frontends
  readonly backendTableSize: number; // backend rows
  readonly affinityTableSize: number; // clients with sessionAffinity, for each Service port they use
  readonly rejectsPerSecond: number; // 0: no limit
  readonly verifyPeriodMs: number; // 0: only when asked
  readonly devicesInclude: readonly string[]; // shell patterns; empty: all
  readonly devicesExclude: readonly string[];
}
