import { describe, expect, it } from 'vitest';
import type { Outcome } from '../../../lab/agent-protocol.ts';
import { Ties } from '../../differential/affinity.ts';
import { agree, outcomeText, settled } from '../../differential/compare.ts';
import { findDifference, findHeldDifference } from '../../differential/differences.ts';
import { heldText, SERVING, STALE } from '../../differential/held.ts';
import type { Objects, Service, Slice } from '../../differential/objects.ts';
import { describe as describeOutcome, gather, type Probe, type Seen, triesFor } from '../../differential/probe.ts';

const PROBE: Probe = {
  ...{ kind: 'ClusterIP', service: 's1', portName: '', protocol: 'TCP', to: '10.96.0.11', port: 81 },
  ...{ sender: 'pod0', from: '10.244.1.2', spread: [], hasAffinity: false, mostEndpoints: 2 },
};
const TIED: Probe = { ...PROBE, hasAffinity: true };
const seen = (answers: string[], errors: string[] = []): Seen => ({ answers: new Set(answers), errors: new Set(errors) });
const answer = (endpoint: string, peer: string): Outcome => ({ ok: true, endpoint, peer, named: '' });

describe('an outcome', () => {
  it('says who answered and whom it saw', () => {
    const text = (outcome: Outcome, probe: Probe = PROBE) => describeOutcome(outcome, probe);
    expect(text(answer('10.244.2.3:8080', '10.244.1.2:4000'))).toEqual({ answer: '10.244.2.3:8080 <- own' });
    expect(text(answer('10.244.2.3:8080', '192.0.2.10:4000'))).toEqual({ answer: '10.244.2.3:8080 <- node' });
    expect(text(answer('10.244.2.3:8080', '10.244.9.9:4000'))).toEqual({ answer: '10.244.2.3:8080 <- 10.244.9.9' });
    expect(text(answer('[2001:db8:113::77]:7', '[fd00::1]:4000'))).toEqual({ answer: 'untouched <- fd00::1' });
    expect(text(answer(`${PROBE.to}:${PROBE.port}`, '10.244.1.2:4000'))).toEqual({ answer: 'untouched <- own' });
    expect(text({ ok: false, error: 'ECONNREFUSED' })).toEqual({ error: 'refused' });
    expect(text({ ok: false, error: 'ETIMEDOUT' })).toEqual({ error: 'dropped' });
    expect(text({ ok: false, error: 'EPERM' })).toEqual({ error: 'EPERM' });
  });

  it('of a process of the node has any of its addresses for its source', () => {
    const node: Probe = { ...PROBE, sender: 'node', from: '192.0.2.11' };
    const outcomes = [answer('10.244.2.3:8080', '192.0.2.11:1'), answer('10.244.2.3:8080', '192.0.2.10:1')];
    expect(outcomeText(gather(outcomes, node))).toBe('10.244.2.3:8080 <- node');
  });

  it('is written the same whatever the order of the tries', () => {
    expect(outcomeText(seen(['b <- own', 'a <- own'], ['refused']))).toBe(
      outcomeText(seen(['a <- own', 'b <- own'], ['refused'])),
    );
  });
});

describe('two worlds agree', () => {
  it('on the very endpoints and sources', () => {
    expect(agree(PROBE, seen(['a:1 <- own', 'b:1 <- own']), seen(['b:1 <- own', 'a:1 <- own']))).toBe(true);
    expect(agree(PROBE, seen(['a:1 <- own', 'b:1 <- own']), seen(['a:1 <- own']))).toBe(false);
    expect(agree(PROBE, seen(['a:1 <- own']), seen(['a:1 <- node']))).toBe(false);
  });

  it('on refused against dropped', () => {
    expect(agree(PROBE, seen([], ['refused']), seen([], ['dropped']))).toBe(false);
    expect(agree(PROBE, seen([], ['refused']), seen([], ['refused']))).toBe(true);
    expect(agree(PROBE, seen(['a:1 <- own']), seen(['a:1 <- own'], ['dropped']))).toBe(false);
  });

  it('on a stop of the host’s own SCTP, which EPERM does not tell apart', () => {
    const raw: Probe = { ...PROBE, sender: 'node', from: '', protocol: 'SCTP' };
    expect(agree(raw, seen([], ['EPERM']), seen([], ['refused']))).toBe(true);
    expect(agree(raw, seen([], ['EPERM']), seen(['a:1 <- node']))).toBe(false);
    expect(agree({ ...raw, protocol: 'UDP' }, seen([], ['EPERM']), seen([], ['refused']))).toBe(false);
  });

  it('under affinity on one endpoint, whichever it is', () => {
    expect(agree(TIED, seen(['10.244.2.2:1 <- own']), seen(['10.244.2.3:1 <- own']))).toBe(true);
    expect(agree(TIED, seen(['10.244.2.2:1 <- own']), seen(['10.244.2.3:1 <- node']))).toBe(false);
    expect(agree(TIED, seen(['10.244.2.2:1 <- own']), seen(['10.244.2.2:1 <- own', '10.244.2.3:1 <- own']))).toBe(false);
    expect(agree(TIED, seen(['10.244.2.2:1 <- own']), seen(['untouched <- own']))).toBe(false);
  });

  it('under affinity also when one endpoint is the node, to which nothing is masqueraded', () => {
    expect(agree(TIED, seen(['192.0.2.10:1 <- own']), seen(['10.244.2.3:1 <- node']))).toBe(true);
  });

  it('under affinity also when one client has itself for its endpoint, and is masqueraded', () => {
    expect(agree(TIED, seen(['10.244.1.2:1 <- node']), seen(['10.244.2.3:1 <- own']))).toBe(true);
  });
});

describe('a second look', () => {
  it('adds answers, and takes back only silence', () => {
    const first = seen(['a:1 <- own'], ['dropped', 'refused']);
    expect(outcomeText(settled(first, seen(['b:1 <- own'])))).toBe('a:1 <- own, b:1 <- own, refused');
    expect(outcomeText(settled(first, seen([], ['dropped'])))).toBe('a:1 <- own, dropped, refused');
  });

  it('has more tries the more endpoints there are', () => {
    expect(triesFor(1, 6)).toBe(6);
    expect(triesFor(4, 14)).toBeGreaterThan(4 * 14);
    expect(triesFor(0, 6)).toBe(6);
  });
});

describe('a tie', () => {
  const service = {
    metadata: { name: 's1' },
    spec: { sessionAffinity: 'ClientIP', internalTrafficPolicy: 'Cluster', ports: [{ name: '', protocol: 'TCP', port: 81 }] },
  } as unknown as Service;
  const objects = (...addresses: string[]): Objects => {
    const endpoints = addresses.map((address) => ({ addresses: [address], conditions: {} }));
    const slice = { addressType: 'IPv4', ports: [{ name: '', protocol: 'TCP', port: 8080 }], endpoints } as unknown as Slice;
    return { services: new Map([['s1', service]]), slices: new Map([['s1', [slice]]]), zone: '' };
  };
  const both = objects('10.244.2.2', '10.244.2.3');

  it('holds while its endpoint is ready', () => {
    const ties = new Ties();
    expect(ties.stays(both, TIED, seen(['10.244.2.2:8080 <- own']))).toBeNull();
    expect(ties.stays(both, { ...TIED, to: '203.0.113.1' }, seen(['10.244.2.2:8080 <- node']))).toBe(true);
    expect(ties.stays(both, TIED, seen(['10.244.2.3:8080 <- own']))).toBe(false);
  });

  it('is forgotten with its endpoint, also when that comes back', () => {
    const ties = new Ties();
    ties.stays(both, TIED, seen(['10.244.2.2:8080 <- own']));
    ties.change(objects('10.244.2.3'));
    ties.change(both);
    expect(ties.stays(both, TIED, seen(['10.244.2.3:8080 <- own']))).toBeNull();
  });

  it('is each client’s own', () => {
    const ties = new Ties();
    ties.stays(both, TIED, seen(['10.244.2.2:8080 <- own']));
    expect(ties.stays(both, { ...TIED, sender: 'pod1', from: '10.244.1.3' }, seen(['10.244.2.3:8080 <- own']))).toBeNull();
  });
});

describe('a difference by design', () => {
  const loopback: Probe = { ...PROBE, kind: 'loopback', sender: 'node', from: '', to: '127.0.0.1' };
  const refused = seen([], ['refused']);
  const answered = seen(['10.244.1.2:8080 <- node']);

  it('covers node ports on loopback where kube-proxy has none', () => {
    const covers = (mode: 'nftables' | 'iptables', probe: Probe) =>
      findDifference({ mode, socketPath: 'tcp', probe, reference: refused, turnout: answered });
    expect(covers('nftables', loopback)?.name).toBe('node ports on loopback');
    expect(covers('iptables', loopback)).toBeUndefined();
    expect(covers('iptables', { ...loopback, to: '::1' })).toBeDefined();
    expect(covers('nftables', { ...loopback, kind: 'node port', to: '192.0.2.10' })).toBeUndefined();
  });

  it('covers a forbidden load-balancer IP that the node itself has, for the node only', () => {
    const bound: Probe = { ...PROBE, kind: 'load-balancer IP', sender: 'node', from: '', to: '198.18.0.1' };
    const covers = (probe: Probe, reference: Seen) =>
      findDifference({ mode: 'nftables', socketPath: 'tcp', probe, reference, turnout: refused });
    expect(covers(bound, seen([], ['dropped']))).toBeDefined();
    expect(covers(bound, answered)).toBeUndefined();
    expect(covers({ ...bound, to: '198.18.0.2' }, seen([], ['dropped']))).toBeUndefined();
    expect(covers({ ...bound, sender: 'pod0' }, seen([], ['dropped']))).toBeUndefined();
  });

  it('covers the host’s own addresses without the socket path, and its port’s address at an endpoint on the node', () => {
    const own: Probe = { ...PROBE, kind: 'node port', sender: 'node', from: '', to: '192.0.2.10', protocol: 'SCTP' };
    const covers = (probe: Probe, socketPath: string, turnout: Seen) =>
      findDifference({ mode: 'nftables', socketPath, probe, reference: seen(['192.0.2.10:1 <- node']), turnout })?.name;
    expect(covers(own, 'tcp', refused)).toMatch(/address of its own/);
    expect(covers({ ...own, protocol: 'TCP' }, 'tcp', refused)).toBeUndefined();
    expect(covers({ ...own, protocol: 'TCP' }, 'off', refused)).toMatch(/address of its own/);
    expect(covers(own, 'tcp', seen(['192.0.2.10:1 <- 169.254.116.11']))).toMatch(/towards itself/);
    expect(covers(own, 'tcp', seen(['10.244.1.2:1 <- 169.254.116.11']))).toBeUndefined();
  });

  it('covers a UDP flow that nobody serves any more, and no other', () => {
    const probe = { ...PROBE, protocol: 'UDP' as const };
    const held = { socketPath: 'tcp', probe, isServed: false, isOlder: false, hasLeft: true, reference: STALE, turnout: '' };
    const turnout = heldText(held.probe, { held: 1, alive: 0, errors: ['ECONNREFUSED'], endpoints: [] }, []);
    expect(findHeldDifference({ ...held, turnout })?.name).toBe('UDP flows whose last endpoint is gone');
    expect(findHeldDifference({ ...held, turnout, isServed: true })?.name).toBe('UDP flows that kube-proxy has not cleaned up');
    expect(findHeldDifference({ ...held, turnout, hasLeft: false })).toBeUndefined();
    expect(findHeldDifference({ ...held, reference: SERVING, turnout: STALE })).toBeUndefined();
    expect(findHeldDifference({ ...held, turnout, probe: PROBE })).toBeUndefined();
  });
});
