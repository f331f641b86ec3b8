// Why an endpoint of a slice is not among the candidates.
import { describe, expect, test } from 'vitest';
import { endpointFacts, whyLeftOut } from '../../../src/state/endpoint-facts.ts';
import type { EndpointSlice, SliceEndpoint } from '../../../src/state/model.ts';

const PLAIN = { nodeName: 'a', ready: true, serving: true, terminating: false, zoneHints: [], nodeHints: [] };

function factOf(over: Partial<SliceEndpoint>) {
  const slice: EndpointSlice = {
    ...{ kind: 'EndpointSlice', namespace: 'default', name: 'web-1', serviceName: 'web', labels: {}, ipFamily: 'IPv4' },
    ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
    endpoints: [{ address: '10.244.1.2', ...PLAIN, ...over }],
  };
  const [fact] = endpointFacts([slice], { ipFamily: 'IPv4', portName: 'http', protocol: 'TCP' }, 'a');
  if (!fact) throw new Error('no endpoint');
  return fact;
}

test('an endpoint that is not ready is known with everything its slice says', () => {
  expect(factOf({ ready: false, serving: false, zoneHints: ['z'] })).toEqual({
    ...{ ip: '10.244.1.2', port: 8080, isLocal: true, ready: false, serving: false, terminating: false },
    ...{ zoneHints: ['z'], nodeHints: [] },
  });
});

describe('is left out', () => {
  test.each([
    [{ ready: false, serving: false }, false, 'not ready'],
    [{ ready: false, serving: false, terminating: true }, false, 'terminating, and it serves no more'],
    [{ ready: false, terminating: true }, false, 'terminating, and others are ready'],
    [{ nodeName: 'b' }, true, 'on another node'],
    [{ zoneHints: ['z'] }, false, 'hints assign it to zone z'],
    [{ nodeHints: ['b'], zoneHints: ['z'] }, false, 'hints assign it to node b, zone z'],
    [{}, false, 'hints assign others to this zone or node'],
  ] as const)('%j, Local %s: %s', (over, isLocalList, why) => {
    expect(whyLeftOut(factOf(over), isLocalList)).toBe(why);
  });
});
