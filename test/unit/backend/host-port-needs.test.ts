import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HostPortNeeds, needName } from '../../../src/backend/ebpf/host-port-needs.ts';
import type { Changes, DesiredState, ServicePort } from '../../../src/state/model.ts';
import { unitOf } from './unit-of.ts';

const none: Changes = { full: false, upserted: new Set(), removed: new Set() };
const desired = (units: readonly ServicePort[], serviceCIDRs: readonly string[] = []): DesiredState => ({
  servicePorts: new Map(units.map((unit) => [unit.key, unit])),
  healthChecks: new Map(),
  serviceCIDRs,
  node: null,
});
const names = (needs: Iterable<Parameters<typeof needName>[0]>): string[] => [...needs].map(needName).sort();
const full: Changes = { ...none, full: true };

describe('what Services need of the host port', () => {
  test('is the whole ClusterIP, and of other addresses only the port', () => {
    const needs = new HostPortNeeds(false);
    const unit = unitOf({ clusterIP: '10.96.0.10', port: 80, externalIPs: ['192.0.2.1'], loadBalancerVIPs: ['192.0.2.2'] });
    needs.update(desired([unit]), full);
    expect(names(needs)).toEqual(['10.96.0.10 0 0', '192.0.2.1 6 80', '192.0.2.2 6 80']);
  });

  test('is SCTP and what source ranges leave to the packet, where connect() translates the rest', () => {
    const needs = new HostPortNeeds(true);
    const addresses = { externalIPs: ['192.0.2.1'], loadBalancerVIPs: ['192.0.2.2'] };
    const plain = unitOf({ ...addresses, key: 'a', clusterIP: '10.96.0.10' });
    const sctp = unitOf({ ...addresses, key: 'b', clusterIP: '10.96.0.10', protocol: 'SCTP', port: 81 });
    const ranged = unitOf({ ...addresses, key: 'c', clusterIP: '10.96.0.10', port: 82, sourceRanges: ['192.0.2.0/24'] });
    needs.update(desired([plain, sctp, ranged]), full);
    expect(names(needs)).toEqual(['10.96.0.10 0 0', '192.0.2.1 132 81', '192.0.2.2 132 81', '192.0.2.2 6 82']);
  });

  test('is a known block instead of the addresses in it', () => {
    const needs = new HostPortNeeds(false);
    const units = [unitOf({ key: 'a', clusterIP: '10.96.0.10' }), unitOf({ key: 'b', clusterIP: '10.99.0.10' })];
    needs.update(desired(units, ['10.96.0.1/16']), full);
    expect(names(needs)).toEqual(['10.96.0.0/16 0 0', '10.99.0.10 0 0']);
    // A block that comes later takes over, without a full change.
    needs.update(desired(units, ['10.96.0.0/12']), none);
    expect(names(needs)).toEqual(['10.96.0.0/12 0 0']);
  });

  test('an address goes with the last port that has it, and a changed endpoint touches nothing', () => {
    const needs = new HostPortNeeds(false);
    const [a, b] = [unitOf({ key: 'a', clusterIP: '10.96.0.10' }), unitOf({ key: 'b', clusterIP: '10.96.0.10', port: 81 })];
    expect(names(needs.update(desired([a, b]), full))).toEqual(['10.96.0.10 0 0']);
    expect(needs.update(desired([a, b]), { ...none, upserted: new Set(['a']) })).toEqual([]);
    expect(needs.update(desired([b]), { ...none, removed: new Set(['a']) })).toEqual([]);
    expect(names(needs.update(desired([]), { ...none, removed: new Set(['b']) }))).toEqual(['10.96.0.10 0 0']);
    expect(names(needs)).toEqual([]);
  });

  test('is the same whether it came step by step or at once', () => {
    const unit = fc.record({
      key: fc.constantFrom('a', 'b', 'c', 'd'),
      host: fc.integer({ min: 1, max: 4 }),
      isExternal: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(fc.record({ unit, isRemoved: fc.boolean() }), { maxLength: 30 }), (steps) => {
        const needs = new HostPortNeeds(false);
        const units = new Map<string, ServicePort>();
        for (const { unit: one, isRemoved } of steps) {
          const externalIPs = one.isExternal ? [`192.0.2.${one.host}`] : [];
          if (isRemoved) units.delete(one.key);
          else units.set(one.key, unitOf({ key: one.key, clusterIP: `10.96.0.${one.host}`, externalIPs }));
          const changes = isRemoved ? { ...none, removed: new Set([one.key]) } : { ...none, upserted: new Set([one.key]) };
          needs.update(desired([...units.values()]), changes);
        }
        const fresh = new HostPortNeeds(false);
        fresh.update(desired([...units.values()]), full);
        expect(names(needs)).toEqual(names(fresh));
      }),
    );
  });
});
