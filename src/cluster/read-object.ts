// One API object of unknown shape -> one of ours, or the faults that refuse it.
import type { ClusterObject, ResourceKind } from '../state/model.ts';
import { readEndpointSlice } from './endpoint-slice.ts';
import { readNode, readServiceCIDR } from './node.ts';
import { type Fault, isFields, ObjectReader } from './object-reader.ts';
import { readService } from './service.ts';
import type { ObjectReference } from './source.ts';

/** The API group and version each kind is read from. */
const API_VERSIONS: Record<ResourceKind, readonly string[]> = {
  Service: ['v1'],
  EndpointSlice: ['discovery.k8s.io/v1'],
  Node: ['v1'],
  ServiceCIDR: ['networking.k8s.io/v1', 'networking.k8s.io/v1beta1'],
};
const NAMESPACED: readonly ResourceKind[] = ['Service', 'EndpointSlice'];

export type ReadResult =
  | {
      readonly kind: 'object';
      readonly reference: ObjectReference;
      readonly object: ClusterObject;
      readonly omissions: readonly Fault[]; // entries it is without
    }
  | { readonly kind: 'ignored'; readonly reference: ObjectReference } // valid, but nothing for a proxy
  | { readonly kind: 'faulty'; readonly reference: ObjectReference | null; readonly faults: readonly Fault[] };

const isKind = (kind: string): kind is ResourceKind => Object.hasOwn(API_VERSIONS, kind);

export function describeReference(reference: ObjectReference | null): string {
  if (!reference) return '';
  const { kind, namespace, name } = reference;
  return namespace === '' ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}

/** Kubernetes names are DNS names; anything else would end up in tables and metrics. Capitals do no harm: kube-proxy takes any name. */
const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/i;

export function readObject(value: unknown): ReadResult {
  if (!isFields(value)) return { kind: 'faulty', reference: null, faults: [{ field: '', message: 'is no Kubernetes object' }] };
  const object = new ObjectReader(value);
  const kind = object.requiredString('kind');
  if (!isKind(kind)) {
    if (kind !== '') object.fault('kind', `is ${kind}; read are Service, EndpointSlice, Node and ServiceCIDR`);
    return { kind: 'faulty', reference: null, faults: object.faults };
  }
  const metadata = object.object('metadata');
  const name = metadata.requiredString('name');
  const namespace = NAMESPACED.includes(kind) ? metadata.string('namespace') || 'default' : '';
  if (name === '') return { kind: 'faulty', reference: null, faults: object.faults };
  const reference: ObjectReference = { kind, namespace, name };
  if (!NAME.test(name)) metadata.fault('name', `is no Kubernetes name: ${JSON.stringify(name)}`);
  if (namespace !== '' && !NAME.test(namespace))
    metadata.fault('namespace', `is no Kubernetes name: ${JSON.stringify(namespace)}`);
  const apiVersion = object.requiredString('apiVersion');
  if (apiVersion !== '' && !API_VERSIONS[kind].includes(apiVersion)) {
    object.fault('apiVersion', `is ${apiVersion}; ${kind} is read as ${API_VERSIONS[kind].join(' or ')}`);
  }
  const read = readKind(kind, object, namespace, name);
  if (object.faults.length > 0) return { kind: 'faulty', reference, faults: object.faults };
  const { omissions } = object;
  return read ? { kind: 'object', reference, object: read, omissions } : { kind: 'ignored', reference };
}

function readKind(kind: ResourceKind, object: ObjectReader, namespace: string, name: string): ClusterObject | null {
  switch (kind) {
    case 'Service':
      return readService(object, namespace, name);
    case 'EndpointSlice':
      return readEndpointSlice(object, namespace, name);
    case 'Node':
      return readNode(object, name);
    case 'ServiceCIDR':
      return readServiceCIDR(object, name);
  }
}
