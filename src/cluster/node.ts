// Node v1 and ServiceCIDR networking.k8s.io/v1 -> our plain values.
import { parseCidr } from '../state/ip.ts';
import type { Node, ServiceCIDR } from '../state/model.ts';
import { LEFT_OUT, type ObjectReader } from './object-reader.ts';

/** podCIDRs are passed on as they are, as in kube-proxy: one that cannot be read must not cost the node its zone and addresses. */
function readPodCIDRs(spec: ObjectReader): string[] {
  const asIs = (field: string, text: string): string[] => {
    spec.omit(field, `is no CIDR: ${JSON.stringify(text)}; no pod is recognised by it`);
    return [text];
  };
  const single = spec.string('podCIDR');
  if (spec.has('podCIDRs') || single === '') return spec.cidrs('podCIDRs', asIs);
  const cidr = parseCidr(single);
  return cidr ? [cidr.text] : asIs('podCIDR', single);
}

export function readNode(object: ObjectReader, name: string): Node {
  const spec = object.object('spec');
  const taintKeys = spec.objects('taints').map((taint) => taint.string('key'));
  return {
    kind: 'Node',
    name,
    labels: object.object('metadata').labels('labels'),
    addresses: object
      .object('status')
      .objects('addresses')
      .map((address) => ({ type: address.string('type'), address: address.string('address') })),
    podCIDRs: readPodCIDRs(spec),
    ...(object.object('metadata').has('deletionTimestamp') ? { isDeleting: true } : {}),
    ...(taintKeys.length > 0 ? { taintKeys } : {}),
  };
}

export function readServiceCIDR(object: ObjectReader, name: string): ServiceCIDR {
  const spec = object.object('spec');
  const cidrs = spec.cidrs('cidrs', (field, text) => {
    spec.omit(field, `is no CIDR: ${JSON.stringify(text)}; ${LEFT_OUT}`);
    return [];
  });
  return { kind: 'ServiceCIDR', name, cidrs };
}
