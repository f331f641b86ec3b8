// The plain values that cross between folders: cluster/ makes objects, state/ turns them into units, backends program units.
// No clock, no I/O, no imports.

export type IpFamily = 'IPv4' | 'IPv6';
export type Protocol = 'TCP' | 'UDP' | 'SCTP';
export type TrafficPolicy = 'Cluster' | 'Local';

/** One Service, stripped to what is used. Addresses are canonical text (leading zeros read as decimal). */
export interface Service {
  readonly kind: 'Service';
  readonly namespace: string;
  readonly name: string;
  readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName';
  readonly labels: Readonly<Record<string, string>>;
  readonly clusterIPs: readonly string[]; // at most one each family; empty when headless
  readonly externalIPs: readonly string[];
  readonly loadBalancerVIPs: readonly string[]; // status.loadBalancer.ingress[].ip with ipMode VIP
  readonly loadBalancerSourceRanges: readonly string[];
  readonly ports: readonly ServicePortSpec[];
  readonly internalTrafficPolicy: TrafficPolicy;
  readonly externalTrafficPolicy: TrafficPolicy;
  readonly sessionAffinitySeconds: number; // 0: None
  readonly healthCheckNodePort: number; // 0: none
}
export interface ServicePortSpec {
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
  readonly nodePort: number; // 0: none
}

/** One EndpointSlice. Port name '' matches a Service port without a name; slice ports without a number are left out. */
export interface EndpointSlice {
  readonly kind: 'EndpointSlice';
  readonly namespace: string;
  readonly name: string;
  readonly serviceName: string; // label kubernetes.io/service-name
  readonly labels: Readonly<Record<string, string>>;
  readonly ipFamily: IpFamily;
  readonly ports: readonly { readonly name: string; readonly protocol: Protocol; readonly port: number }[];
  readonly endpoints: readonly SliceEndpoint[];
  /** Annotation endpoints.kubernetes.io/last-change-trigger-time; left out when there is none. */
  readonly lastChangeTriggerMs?: number;
}
export interface SliceEndpoint {
  readonly address: string;
  readonly nodeName: string | null;
  readonly ready: boolean; // nil counts as true
  readonly serving: boolean; // nil counts as true
  readonly terminating: boolean;
  readonly zoneHints: readonly string[];
  readonly nodeHints: readonly string[];
}
export interface Node {
  readonly kind: 'Node';
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly addresses: readonly { readonly type: string; readonly address: string }[];
  readonly podCIDRs: readonly string[];
  readonly isDeleting?: boolean; // has a deletionTimestamp
  readonly taintKeys?: readonly string[]; // left out when there are none
}
export interface ServiceCIDR {
  readonly kind: 'ServiceCIDR';
  readonly name: string;
  readonly cidrs: readonly string[];
}
export type ClusterObject = Service | EndpointSlice | Node | ServiceCIDR;
export type ResourceKind = ClusterObject['kind'];

/** One endpoint of one unit, as kube-proxy counts them: unique by ip and port. */
export interface Endpoint {
  readonly ip: string;
  readonly port: number;
  readonly isLocal: boolean;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
}

/** The unit of programming: one port of one Service in one family. */
export interface ServicePort {
  readonly key: string; // 'namespace/name:portName/TCP/IPv4'
  readonly namespace: string;
  readonly name: string;
  readonly portName: string;
  readonly protocol: Protocol;
  readonly ipFamily: IpFamily;
  readonly clusterIP: string;
  readonly port: number;
  readonly nodePort: number; // 0: none
  readonly externalIPs: readonly string[];
  readonly loadBalancerVIPs: readonly string[];
  readonly sourceRanges: readonly string[]; // canonical CIDRs of the family; for load-balancer VIPs only; []: everybody
  readonly internalTrafficPolicy: TrafficPolicy;
  readonly externalTrafficPolicy: TrafficPolicy;
  readonly sessionAffinitySeconds: number;
  readonly clusterEndpoints: readonly Endpoint[]; // sorted by 'ip:port'
  readonly localEndpoints: readonly Endpoint[]; // sorted; used under a Local policy
  /** Those that still serve and are in neither list: terminating beside ready ones, left out by hints. Sorted; nearly always []. */
  readonly lingeringEndpoints: readonly Endpoint[];
  readonly hasEndpoints: boolean; // any usable endpoint anywhere: an empty list then means drop, not reject
}

/** A health-check node port: where a load balancer asks whether this node has endpoints. */
export interface HealthCheck {
  readonly namespace: string;
  readonly name: string;
  readonly port: number;
  readonly localReadyEndpoints: Readonly<Record<IpFamily, number | null>>; // distinct addresses; null: not served in this family
}

/** Everything a backend programs. Values are immutable; the maps are owned by state/ and read by backends between events. */
export interface DesiredState {
  readonly servicePorts: ReadonlyMap<string, ServicePort>;
  readonly healthChecks: ReadonlyMap<string, HealthCheck>; // by namespace/name
  readonly serviceCIDRs: readonly string[];
  readonly node: Node | null; // this node, when its object is known
}

/** What changed since the last successful sync. `full` asks for a comparison of everything. */
export interface Changes {
  readonly full: boolean;
  readonly upserted: ReadonlySet<string>; // ServicePort keys
  readonly removed: ReadonlySet<string>;
  /** 'namespace/name' of Services whose health check changed, came or went. Absent: none. */
  readonly healthChecks?: ReadonlySet<string>;
  /** 'namespace/name' of Services whose EndpointSlices changed, also where no unit did. Absent: none. */
  readonly endpoints?: ReadonlyMap<string, EndpointChange>;
}

/** When the changes of a Service's endpoints were triggered, for the programming latency; in the order they were told. */
export interface EndpointChange {
  readonly triggerTimesMs: readonly number[]; // since the epoch; empty: unknown, or before this process
}
