import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readConfigFile } from '../../../src/config/config-file.ts';

const FIELDS = { known: ['clusterCIDR', 'conntrack.min', 'nodePortAddresses'], ignored: ['featureGates.*', 'ipvs.scheduler'] };
const HEAD = 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n';

function read(body: string) {
  return readConfigFile(HEAD + body, 'c.yaml', FIELDS);
}

test('values come with their positions', () => {
  const { values, problems } = read('conntrack:\n  min: 5\nnodePortAddresses: [a, b]\n');
  expect(problems).toEqual([]);
  expect(values.get('conntrack.min')).toEqual({ value: 5, position: 'c.yaml:4:8' });
  expect(values.get('nodePortAddresses')).toEqual({ value: ['a', 'b'], position: 'c.yaml:5:20' });
});

test('anchors and aliases are followed', () => {
  const { values, problems, warnings } = read(
    'nodePortAddresses: &list [a]\nconntrack: {min: 1}\nipvs: {scheduler: *list}\nfeatureGates: *list\n',
  );
  expect(problems).toEqual([]);
  expect(values.get('nodePortAddresses')?.value).toEqual(['a']);
  expect(warnings).toEqual([expect.stringContaining('ipvs.scheduler, featureGates')]);
});

test('the keys of an open section are never unknown', () => {
  expect(read('featureGates: {AnyThing: true, Other: false}\n').warnings).toEqual([
    expect.stringMatching(/ignored: featureGates$/),
  ]);
});

test('aliases that would grow without limit are refused', () => {
  const levels = [
    'a: &a [x, x, x, x, x, x, x, x, x]',
    'b: &b [*a, *a, *a, *a, *a, *a, *a, *a]',
    'c: &c [*b, *b, *b, *b, *b, *b, *b, *b]',
  ];
  const { problems } = read(`${levels.join('\n')}\nnodePortAddresses: [*c, *c, *c, *c]\n`);
  expect(problems).toEqual([{ setting: 'c.yaml', value: '', reason: expect.stringContaining('alias') }]);
});

test.each(['conntrack: &a [*a]', 'conntrack: &a {min: *a}', 'clusterCIDR: *nothing', 'featureGates: &a {x: *a}'])(
  '%s is refused',
  (body) => {
    expect(read(`${body}\n`).problems).toEqual([
      expect.objectContaining({ reason: expect.stringMatching(/^alias \*\w+ refers to/) }),
    ]);
  },
);

test('no text makes the reader throw', () => {
  const line = fc.constantFrom(
    'a: 1',
    'conntrack:',
    '  min: 2',
    '- x',
    'b: *a',
    'a: &a [1',
    '? [k]',
    '---',
    '!!set {a}',
    '\t',
    '<<: {a: 1}',
    '"',
    'kind: {}',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(line).map((lines) => HEAD + lines.join('\n')),
      ),
      (text) => {
        const { problems, values } = readConfigFile(text, 'c.yaml', FIELDS);
        expect(problems.length + values.size).toBeGreaterThan(0);
      },
    ),
    { numRuns: 1000 },
  );
});

test('no object makes the reader throw', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom('clusterCIDR', 'conntrack', 'ipvs', 'featureGates', 'x', '__proto__'), fc.jsonValue()),
      (fields) => {
        const text = JSON.stringify({
          apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
          kind: 'KubeProxyConfiguration',
          ...fields,
        });
        expect(readConfigFile(text, 'c.json', FIELDS).values.get('kind')?.value).toBe('KubeProxyConfiguration');
      },
    ),
  );
});
