// Which row an address and port meet, and what it says, in words. The programs decide by the same rows (lookup.h); this names them.

import type { ExplainedService, ExplainQuestion } from '../../../cli/explain-report.ts';
import { addressOctets, addressText, zeroAddress } from '../../../datapath/address.ts';
import { u32Bytes } from '../../../datapath/bytes.ts';
import {
  AddressFlag,
  Detector,
  type Frontend,
  FrontendFlag,
  LB_FRONTEND_KEY_SIZE,
  LB_SERVICE_CIDR_KEY_SIZE,
  readAddress,
  readFrontend,
  readServiceName,
  writeFrontendKey,
  writeServiceCidrKey,
} from '../../../datapath/layout.gen.ts';
import { cidrContains, ipFamilyOf } from '../../../state/ip.ts';
import type { PinnedTables } from '../pinned-tables.ts';
import { PROTOCOL_NUMBERS } from '../rows.ts';
import { numberOf } from './running-programs.ts';

export type ClientKind = 'pod' | 'node' | 'external';

export interface Match {
  readonly frontend: Frontend | null;
  readonly addressFlags: number; // enum lb_address_flag
  readonly isUnallocated: boolean; // in a ServiceCIDR, and no Service's
}

const isLoopback = (address: string): boolean => address === '::1' || address.startsWith('127.');

export function matchOf(tables: PinnedTables, { destination, port, protocol }: ExplainQuestion): Match {
  const address = addressOctets(destination);
  const find = (of: Uint8Array): Frontend | null => {
    const key = new Uint8Array(LB_FRONTEND_KEY_SIZE);
    writeFrontendKey(key, 0, { address: of, port, protocol: PROTOCOL_NUMBERS[protocol] ?? 0 });
    const value = tables.map('frontends').get(key);
    return value ? readFrontend(value) : null;
  };
  const row = tables.map('addresses').get(address);
  const addressFlags = row ? readAddress(row).flags : 0;
  const own = find(address);
  const servesNodePorts = addressFlags & AddressFlag.LB_ADDRESS_NODE_PORT || isLoopback(destination);
  const frontend = own ?? (servesNodePorts ? find(zeroAddress(ipFamilyOf(destination))) : null);
  return { frontend, addressFlags, isUnallocated: !frontend && addressFlags === 0 && isInServiceCidr(tables, address) };
}

function isInServiceCidr(tables: PinnedTables, address: Uint8Array): boolean {
  const key = new Uint8Array(LB_SERVICE_CIDR_KEY_SIZE);
  writeServiceCidrKey(key, 0, { prefixLength: 128, address });
  return tables.map('service_cidrs').get(key) !== null;
}

export function serviceOf(tables: PinnedTables, frontend: Frontend): ExplainedService {
  const value = tables.map('service_names').get(u32Bytes(frontend.serviceId));
  const name = value ? readServiceName(value) : null;
  const has = (flag: number): boolean => (frontend.flags & flag) !== 0;
  const isExternal = has(FrontendFlag.LB_FRONTEND_EXTERNAL);
  return {
    namespace: name?.namespaceName ?? '?',
    name: name?.name ?? `id ${frontend.serviceId}`,
    portName: name?.portName ?? '',
    frontend: has(FrontendFlag.LB_FRONTEND_NODE_PORT) ? 'NodePort' : isExternal ? 'ExternalIP' : 'ClusterIP',
    policyName: isExternal ? 'externalTrafficPolicy' : 'internalTrafficPolicy',
    policy: has(FrontendFlag.LB_FRONTEND_LOCAL_ONLY) ? 'Local' : 'Cluster',
    affinitySeconds: frontend.affinitySeconds,
    hasSourceRanges: has(FrontendFlag.LB_FRONTEND_SOURCE_RANGES),
  };
}

const FRONTENDS = {
  ClusterIP: 'is the ClusterIP of a Service, with this port',
  ExternalIP: 'is an external or load-balancer IP of a Service, with this port',
  NodePort: 'is an address of this node that serves node ports, and the port is one',
} as const;

/** The rule that applied, as a sentence. */
export function ruleText(
  { destination, port, protocol }: ExplainQuestion,
  match: Match,
  service: ExplainedService | null,
): string {
  const { LB_ADDRESS_NODE, LB_ADDRESS_NODE_PORT, LB_ADDRESS_CLUSTER_IP } = AddressFlag;
  if (service) return `${destination} ${FRONTENDS[service.frontend]}.`;
  if (match.addressFlags & LB_ADDRESS_NODE_PORT) {
    return `${destination} is an address of this node, but ${port}/${protocol} is no node port of any Service: whoever listens there answers.`;
  }
  if (match.addressFlags & LB_ADDRESS_NODE)
    return `${destination} is an address of this node on which node ports are not served.`;
  if (match.addressFlags & LB_ADDRESS_CLUSTER_IP) {
    return `${destination} is the ClusterIP of a Service that has no port ${port}/${protocol}: whoever asks for it is refused.`;
  }
  if (match.isUnallocated) return `${destination} lies in a ServiceCIDR and no Service has it: it leads nowhere.`;
  return `${destination} with port ${port}/${protocol} is no Service.`;
}

/** Whether the local detector takes a packet of this source for a pod's; as packet_origin() in ingress_new.h. */
export function isDetectedAsPod(variables: ReadonlyMap<string, Uint8Array>, source: string, isPodDevice: boolean): boolean {
  const version = source.includes(':') ? 'v6' : 'v4';
  switch (numberOf(variables, `cfg_detector_${version}`)) {
    case Detector.LB_DETECTOR_CIDR: {
      const network = variables.get(`cfg_pod_cidr_${version}`) ?? new Uint8Array(16);
      const mask = variables.get(`cfg_pod_mask_${version}`) ?? new Uint8Array(16);
      const block = { family: ipFamilyOf(source), network, mask, prefixLength: 0, text: addressText(network) };
      return cidrContains(block, addressOctets(source));
    }
    case Detector.LB_DETECTOR_DEVICE:
      return isPodDevice;
    default:
      return false;
  }
}

export const hasDetector = (variables: ReadonlyMap<string, Uint8Array>, source: string): boolean =>
  numberOf(variables, `cfg_detector_${source.includes(':') ? 'v6' : 'v4'}`) !== Detector.LB_DETECTOR_NONE;
