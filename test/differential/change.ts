// One random change: objects in, objects out, and which Services it was about.
import { externalIP, SLOTS } from './addresses.ts';
import {
  type Generator,
  NODE_ZONES,
  nameOf,
  randomConditions,
  randomPorts,
  randomRanges,
  randomService,
  randomSlices,
  randomStatus,
  slotOf,
} from './generate.ts';
import { type Objects, type Policy, PROXY_NAME, type Service, type ServiceSpec, type Slice } from './objects.ts';

export interface Changed {
  readonly objects: Objects;
  readonly text: string; // 'create s3'
  readonly services: readonly string[]; // that were touched; all of them when the node changed
}

const FEWEST = 4;
const MOST = 9;

const withService = (objects: Objects, service: Service): Objects => ({
  ...objects,
  services: new Map(objects.services).set(service.metadata.name, service),
});
const withSlices = (objects: Objects, name: string, slices: readonly Slice[]): Objects => ({
  ...objects,
  slices: new Map(objects.slices).set(name, slices),
});

function without(objects: Objects, name: string): Objects {
  const services = new Map(objects.services);
  const slices = new Map(objects.slices);
  services.delete(name);
  slices.delete(name);
  return { ...objects, services, slices };
}

type Edit = (generator: Generator, service: Service) => Service;
const edited = (service: Service, spec: Partial<ServiceSpec>): Service => ({ ...service, spec: { ...service.spec, ...spec } });
const other = (policy: Policy | undefined): Policy => (policy === 'Local' ? 'Cluster' : 'Local');

/** Drops a field of the spec, as an update by a client does. */
function dropped(service: Service, ...fields: (keyof ServiceSpec)[]): Service {
  const spec = { ...service.spec };
  for (const field of fields) delete (spec as Record<string, unknown>)[field];
  return { ...service, spec };
}

/** Changes of a Service that leave its slices alone. Each returns the Service as it was where it does not apply. */
const EDITS: Readonly<Record<string, Edit>> = {
  internalTrafficPolicy: ({ features }, service) =>
    features.has('internal-local')
      ? edited(service, { internalTrafficPolicy: other(service.spec.internalTrafficPolicy) })
      : service,
  externalTrafficPolicy: ({ features }, service) =>
    features.has('external-local') && service.spec.externalTrafficPolicy
      ? edited(service, { externalTrafficPolicy: other(service.spec.externalTrafficPolicy) })
      : service,
  sessionAffinity: ({ features }, service) => {
    if (service.spec.sessionAffinity === 'ClientIP') {
      return edited(dropped(service, 'sessionAffinityConfig'), { sessionAffinity: 'None' });
    }
    const sessionAffinityConfig = { clientIP: { timeoutSeconds: 10800 } };
    return features.has('affinity') ? edited(service, { sessionAffinity: 'ClientIP', sessionAffinityConfig }) : service;
  },
  loadBalancerSourceRanges: (generator, service) => {
    if (service.spec.loadBalancerSourceRanges && generator.dice.chance(40)) return dropped(service, 'loadBalancerSourceRanges');
    const isFree = generator.features.has('source-ranges') && service.spec.type === 'LoadBalancer';
    return isFree ? edited(service, { loadBalancerSourceRanges: randomRanges(generator) }) : service;
  },
  'status.loadBalancer': (generator, service) =>
    service.status
      ? { ...service, status: randomStatus(generator, slotOf(service.metadata.name), service.spec.ipFamilies) }
      : service,
  externalIPs: ({ features }, service) => {
    if (service.spec.externalIPs) {
      const bare = dropped(service, 'externalIPs');
      return bare.spec.type === 'ClusterIP' ? dropped(bare, 'externalTrafficPolicy') : bare;
    }
    if (!features.has('external-ips')) return service;
    const externalIPs = service.spec.ipFamilies.map((family) => externalIP(slotOf(service.metadata.name))[family]);
    return edited(service, { externalIPs, externalTrafficPolicy: service.spec.externalTrafficPolicy ?? 'Cluster' });
  },
  ports: (generator, service) =>
    edited(service, {
      ports: randomPorts(
        generator,
        slotOf(service.metadata.name),
        service.spec.ports.some(({ nodePort }) => nodePort),
      ),
    }),
  'service-proxy-name': ({ features }, service) => {
    const { labels, ...metadata } = service.metadata;
    if (labels && PROXY_NAME in labels) return { ...service, metadata };
    return features.has('labels') ? { ...service, metadata: { ...metadata, labels: { [PROXY_NAME]: 'other' } } } : service;
  },
};

/** Some endpoints of a Service get other conditions; one may go altogether. */
function agedSlices(generator: Generator, slices: readonly Slice[]): Slice[] {
  const { dice } = generator;
  return slices.map((slice) => ({
    ...slice,
    endpoints: slice.endpoints.flatMap((endpoint) => {
      if (dice.chance(10)) return [];
      return [dice.chance(35) ? { ...endpoint, conditions: randomConditions(generator) } : endpoint];
    }),
  }));
}

export function randomChange(generator: Generator, objects: Objects): Changed {
  const { dice, features } = generator;
  const names = [...objects.services.keys()];
  const free = Array.from({ length: SLOTS }, (_, slot) => slot).filter((slot) => !objects.services.has(nameOf(slot)));
  const create = (slot: number, text: string): Changed => {
    const service = randomService(generator, slot);
    const name = service.metadata.name;
    return { objects: withSlices(withService(objects, service), name, randomSlices(generator, service)), text, services: [name] };
  };
  if (names.length < FEWEST) return create(dice.pick(free), 'create');
  const name = dice.pick(names);
  const service = objects.services.get(name)!;
  const slices = objects.slices.get(name) ?? [];
  const roll = dice.between(1, 100);
  if (roll <= 12 && names.length < MOST) return create(dice.pick(free), 'create');
  if (roll <= 18) return { objects: without(objects, name), text: 'delete', services: [name] };
  if (roll <= 24) return create(slotOf(name), 'replace'); // another Service of the same name and address
  if (roll <= 36)
    return { objects: withSlices(objects, name, randomSlices(generator, service)), text: 'new slices', services: [name] };
  if (roll <= 56)
    return { objects: withSlices(objects, name, agedSlices(generator, slices)), text: 'conditions', services: [name] };
  if (roll <= 62) return { objects: withSlices(objects, name, []), text: 'no slices', services: [name] };
  if (roll <= 66 && features.has('hints')) {
    return { objects: { ...objects, zone: dice.pick(NODE_ZONES) }, text: 'zone', services: names };
  }
  // The first that applies.
  for (const field of dice.some(Object.keys(EDITS), Object.keys(EDITS).length)) {
    const edit = EDITS[field]!(generator, service);
    if (edit !== service) return { objects: withService(objects, edit), text: field, services: [name] };
  }
  return { objects: withSlices(objects, name, randomSlices(generator, service)), text: 'new slices', services: [name] };
}
