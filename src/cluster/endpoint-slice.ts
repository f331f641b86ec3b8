// EndpointSlice discovery.k8s.io/v1 -> our plain value. (kube-proxy-parity.md 5.1, 5.3)
import { ipFamilyOf } from '../state/ip.ts';
import type { EndpointSlice, SliceEndpoint } from '../state/model.ts';
import { LEFT_OUT, type ObjectReader } from './object-reader.ts';
import { PROTOCOLS } from './service.ts';

const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';
const TRIGGER_TIME_ANNOTATION = 'endpoints.kubernetes.io/last-change-trigger-time';
/** RFC 3339 with a zone, as Go's time.RFC3339Nano reads it. */
const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** kube-proxy measures no latency where it cannot read the time; that is no reason to do without the slice. */
function readTriggerTime(metadata: ObjectReader): number | null {
  const text = metadata.object('annotations').string(TRIGGER_TIME_ANNOTATION);
  const ms = RFC_3339.test(text) ? Date.parse(text) : Number.NaN;
  if (text !== '' && Number.isNaN(ms))
    metadata.omit('annotations', `${TRIGGER_TIME_ANNOTATION} is no time: ${JSON.stringify(text)}`);
  return Number.isNaN(ms) ? null : ms;
}

/** A port without a number stands for all ports, which a proxy has no use for. */
function readPort(port: ObjectReader): EndpointSlice['ports'][number][] {
  const name = port.string('name');
  const protocol = port.wordOrNull('protocol', PROTOCOLS, 'TCP');
  const number = port.port('port');
  return protocol === null || number === 0 ? [] : [{ name, protocol, port: number }];
}

function readHints(endpoint: ObjectReader, field: 'forZones' | 'forNodes'): string[] {
  return endpoint
    .object('hints')
    .objects(field)
    .map((hint) => hint.string('name'));
}

/** Only the first address counts, as in kube-proxy; an endpoint without one, or of the other family, is left out. */
function readAddress(endpoint: ObjectReader, ipFamily: EndpointSlice['ipFamily']): string {
  const address = endpoint.firstIpOrNothing('addresses');
  if (address === '' || ipFamilyOf(address) === ipFamily) return address;
  endpoint.omit('addresses[0]', `is no ${ipFamily} address: ${address}; ${LEFT_OUT}`);
  return '';
}

function readEndpoint(endpoint: ObjectReader, ipFamily: EndpointSlice['ipFamily']): SliceEndpoint[] {
  const address = readAddress(endpoint, ipFamily);
  if (address === '') return [];
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
  const metadata = object.object('metadata');
  const labels = metadata.labels('labels');
  if (!labels[SERVICE_NAME_LABEL]) metadata.omit('labels', `has no ${SERVICE_NAME_LABEL}: the slice belongs to no Service`);
  const triggerMs = readTriggerTime(metadata);
  return {
    kind: 'EndpointSlice',
    namespace,
    name,
    serviceName: labels[SERVICE_NAME_LABEL] ?? '',
    labels,
    ipFamily: addressType,
    ports: object.objects('ports').flatMap(readPort),
    endpoints: object.objects('endpoints').flatMap((endpoint) => readEndpoint(endpoint, addressType)),
    ...(triggerMs === null ? {} : { lastChangeTriggerMs: triggerMs }),
  };
}
