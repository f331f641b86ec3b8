// What is asked of the API server: kube-proxy's resources and selectors (kube-proxy-parity.md 6.1), and how an object is read.
import type { ResourceKind } from '../state/model.ts';
import { slicesOfEndpoints } from './endpoints.ts';
import { type ReadResult, readObject } from './read-object.ts';

export interface ApiResource {
  readonly kind: ResourceKind; // that it becomes
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** Asked instead when the server refuses the query (400) or has no such resource (404). */
  readonly otherwise?: ApiResource;
  /** An object of the API -> ours; more than one where ours are finer. */
  read(value: object): ReadResult[];
}

const NOT_PROXIED = '!service.kubernetes.io/service-proxy-name';
const NOT_HEADLESS = '!service.kubernetes.io/headless';

const readAs =
  (apiVersion: string, kind: ResourceKind) =>
  (value: object): ReadResult[] => [readObject({ ...value, apiVersion, kind })]; // items of a list do not say what they are

/** Older API servers know no field selector for Services. */
const SERVICES_BY_LABEL: ApiResource = {
  kind: 'Service',
  path: '/api/v1/services',
  query: { labelSelector: `${NOT_PROXIED},${NOT_HEADLESS}` },
  read: readAs('v1', 'Service'),
};

/** Before Kubernetes 1.21, or where the API is switched off. */
const ENDPOINTS: ApiResource = {
  kind: 'EndpointSlice',
  path: '/api/v1/endpoints',
  query: { labelSelector: `${NOT_PROXIED},${NOT_HEADLESS}` },
  read: (value) => slicesOfEndpoints(value).map((slice) => readObject(slice)),
};

export function apiResources(nodeName: string): ApiResource[] {
  return [
    {
      kind: 'Service',
      path: '/api/v1/services',
      query: { labelSelector: NOT_PROXIED, fieldSelector: 'spec.clusterIP!=None' },
      otherwise: SERVICES_BY_LABEL,
      read: readAs('v1', 'Service'),
    },
    {
      kind: 'EndpointSlice',
      path: '/apis/discovery.k8s.io/v1/endpointslices',
      query: { labelSelector: NOT_HEADLESS },
      otherwise: ENDPOINTS,
      read: readAs('discovery.k8s.io/v1', 'EndpointSlice'),
    },
    {
      kind: 'Node',
      path: '/api/v1/nodes',
      query: { fieldSelector: `metadata.name=${nodeName}` },
      read: readAs('v1', 'Node'),
    },
    {
      kind: 'ServiceCIDR',
      path: '/apis/networking.k8s.io/v1/servicecidrs',
      query: {},
      read: readAs('networking.k8s.io/v1', 'ServiceCIDR'),
    },
  ];
}
