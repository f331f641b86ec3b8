import { describe, expect, it } from 'vitest';
import { randomChange } from '../../differential/change.ts';
import { Dice } from '../../differential/dice.ts';
import { parseFeatures } from '../../differential/features.ts';
import { NO_OBJECTS, type Objects } from '../../differential/objects.ts';

function history(seed: number, changes: number, features = ''): Objects[] {
  const generator = { dice: new Dice(seed), features: parseFeatures(features) };
  const all = [NO_OBJECTS];
  for (let i = 0; i < changes; i++) all.push(randomChange(generator, all.at(-1)!).objects);
  return all;
}

const text = ({ services, slices, zone }: Objects): string => JSON.stringify([[...services], [...slices], zone]);
const specs = (all: readonly Objects[]) => all.flatMap(({ services }) => [...services.values()].map(({ spec }) => spec));

describe('random objects', () => {
  it('are the same for the same seed, and others for another', () => {
    expect(history(7, 50).map(text)).toEqual(history(7, 50).map(text));
    expect(history(7, 50).map(text)).not.toEqual(history(8, 50).map(text));
  });

  it('are never changed in place', () => {
    const generator = { dice: new Dice(3), features: parseFeatures('') };
    let objects = NO_OBJECTS;
    for (let i = 0; i < 100; i++) {
      const before = text(objects);
      const { objects: after } = randomChange(generator, objects);
      expect(text(objects)).toBe(before);
      objects = after;
    }
  });

  it('stay between a few Services and a handful', () => {
    const sizes = history(11, 300)
      .slice(5)
      .map(({ services }) => services.size);
    expect(Math.min(...sizes)).toBeGreaterThanOrEqual(3);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(9);
  });

  it('have two Services on one node port or address and port never', () => {
    for (const { services } of history(5, 200)) {
      const taken = [...services.values()].flatMap(({ spec, status }) =>
        spec.ports.flatMap(({ port, nodePort, protocol }) => [
          ...[...spec.clusterIPs, ...(spec.externalIPs ?? []), ...(status?.loadBalancer.ingress ?? []).map(({ ip }) => ip)].map(
            (address) => `${address} ${port} ${protocol}`,
          ),
          ...(nodePort ? [`${nodePort} ${protocol}`] : []),
        ]),
      );
      expect(new Set(taken).size).toBe(taken.length);
    }
  });

  it('cover what kube-proxy knows', () => {
    const all = history(13, 400);
    const seen = specs(all);
    const endpoints = all.flatMap(({ slices }) => [...slices.values()].flat().flatMap((slice) => slice.endpoints));
    expect(new Set(seen.map(({ type }) => type))).toEqual(new Set(['ClusterIP', 'NodePort', 'LoadBalancer']));
    expect(new Set(seen.map(({ ipFamilies }) => ipFamilies.join('+')))).toEqual(
      new Set(['IPv4', 'IPv6', 'IPv4+IPv6', 'IPv6+IPv4']),
    );
    expect(new Set(seen.flatMap(({ ports }) => ports.map(({ protocol }) => protocol)))).toEqual(new Set(['TCP', 'UDP', 'SCTP']));
    expect(seen.some(({ sessionAffinity }) => sessionAffinity === 'ClientIP')).toBe(true);
    expect(seen.some(({ loadBalancerSourceRanges }) => loadBalancerSourceRanges)).toBe(true);
    expect(seen.some(({ internalTrafficPolicy }) => internalTrafficPolicy === 'Local')).toBe(true);
    expect(seen.some(({ externalTrafficPolicy }) => externalTrafficPolicy === 'Local')).toBe(true);
    expect(endpoints.some(({ conditions }) => conditions.terminating && conditions.serving)).toBe(true);
    expect(endpoints.some(({ conditions }) => Object.keys(conditions).length === 0)).toBe(true);
    expect(endpoints.some(({ hints }) => hints?.forZones)).toBe(true);
    expect(endpoints.some(({ hints }) => hints?.forNodes)).toBe(true);
    expect(new Set(all.map(({ zone }) => zone)).size).toBeGreaterThan(1);
  });

  it('leave out what FEATURES leaves out', () => {
    const seen = specs(history(13, 300, '-affinity,-ipv6,-udp,-sctp,-load-balancers,-external-local'));
    expect(seen.every(({ sessionAffinity }) => sessionAffinity === 'None')).toBe(true);
    expect(seen.every(({ ipFamilies }) => ipFamilies.join() === 'IPv4')).toBe(true);
    expect(seen.every(({ type }) => type !== 'LoadBalancer')).toBe(true);
    expect(seen.every(({ externalTrafficPolicy }) => externalTrafficPolicy !== 'Local')).toBe(true);
    expect(seen.flatMap(({ ports }) => ports).every(({ protocol }) => protocol === 'TCP')).toBe(true);
  });
});

describe('FEATURES', () => {
  it('names those there are when one is unknown', () => {
    expect(() => parseFeatures('-afinity')).toThrow(/-afinity .*source-ranges/);
    expect(() => parseFeatures('affinity')).toThrow(/affinity is not \+ or -/);
  });
});
