// EndpointSlice discovery.k8s.io/v1 -> our plain value. (kube-proxy-parity.md 5.1, 5.3)
import { ipFamilyOf } from '../state/ip.ts';
import type { EndpointSlice, SliceEndpoint } from '../state/model.ts';
import type { ObjectReader } from './object-reader.ts';
import { PROTOCOLS } from './service.ts';

const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';

function readHints(endpoint: ObjectReader, field: 'forZones' | 'forNodes'): string[] {
  return endpoint
    .object('hints')
    .objects(field)
    .map((hint) => hint.string('name'));
}

/** Only the first address counts, as in kube-proxy; an endpoint of the other family is left out. */
function readEndpoint(endpoint: ObjectReader, ipFamily: EndpointSlice['ipFamily']): SliceEndpoint[] {
  const [address] = endpoint.ips('addresses');
  if (!address || ipFamilyOf(address) !== ipFamily) return [];
  const conditions = endpoint.object('conditions');
  const nodeName = endpoint.string('nodeName');
  return [
    {
      address,
      nodeName: nodeName === '' ? null : nodeName,
      ready: conditions.boolean('ready', true),
      serving: conditions.boolean('serving', true),
      terminating: conditions.boolean('terminating', false),
      zoneHints: readHints(endpoint, 'forZones'),
      nodeHints: readHints(endpoint, 'forNodes'),
    },
  ];
}

/** Null for a slice of names (addressType FQDN), which kube-proxy leaves alone. */
export function readEndpointSlice(object: ObjectReader, namespace: string, name: string): EndpointSlice | null {
  const addressType = object.word('addressType', ['IPv4', 'IPv6', 'FQDN'], 'IPv4');
  if (addressType === 'FQDN') return null;
  const labels = object.object('metadata').labels('labels');
  return {
    kind: 'EndpointSlice',
    namespace,
    name,
    serviceName: labels[SERVICE_NAME_LABEL] ?? '',
    labels,
    ipFamily: addressType,
    ports: object
      .objects('ports')
      .map((port) => ({
        name: port.string('name'),
        protocol: port.word('protocol', PROTOCOLS, 'TCP'),
        port: port.port('port'),
      }))
      .filter((port) => port.port !== 0),
    endpoints: object.objects('endpoints').flatMap((endpoint) => readEndpoint(endpoint, addressType)),
  };
}
