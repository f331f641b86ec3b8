// Node v1 and ServiceCIDR networking.k8s.io/v1 -> our plain values.
import { parseCidr } from '../state/ip.ts';
import type { Node, ServiceCIDR } from '../state/model.ts';
import type { ObjectReader } from './object-reader.ts';

function readCidrs(object: ObjectReader, field: string): string[] {
  return object.strings(field).flatMap((text, i) => {
    const cidr = parseCidr(text);
    if (!cidr) object.fault(`${field}[${i}]`, `is no CIDR: ${JSON.stringify(text)}`);
    return cidr ? [cidr.text] : [];
  });
}

export function readNode(object: ObjectReader, name: string): Node {
  const spec = object.object('spec');
  const podCIDR = spec.string('podCIDR');
  const taintKeys = spec.objects('taints').map((taint) => taint.string('key'));
  return {
    kind: 'Node',
    name,
    labels: object.object('metadata').labels('labels'),
    addresses: object
      .object('status')
      .objects('addresses')
      .map((address) => ({ type: address.string('type'), address: address.string('address') })),
    podCIDRs: spec.has('podCIDRs') || podCIDR === '' ? readCidrs(spec, 'podCIDRs') : [parseCidr(podCIDR)?.text ?? podCIDR],
    ...(object.object('metadata').has('deletionTimestamp') ? { isDeleting: true } : {}),
    ...(taintKeys.length > 0 ? { taintKeys } : {}),
  };
}

export function readServiceCIDR(object: ObjectReader, name: string): ServiceCIDR {
  return { kind: 'ServiceCIDR', name, cidrs: readCidrs(object.object('spec'), 'cidrs') };
}
