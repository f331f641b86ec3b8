import { describe, expect, test } from 'vitest';
import { jsonItems } from '../../../src/cluster/json-manifest.ts';
import { parseManifestFile } from '../../../src/cluster/manifest-file.ts';

const SERVICE = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web' },
  spec: { clusterIP: '10.0.0.1', ports: [{ port: 80 }] },
};
const places = (text: string) => jsonItems(text)?.map(({ line, column }) => `${line}:${column}`);

describe('JSON manifests', () => {
  test('an object stands where it begins', () => {
    expect(places(`\n  ${JSON.stringify(SERVICE)}\n`)).toEqual(['2:3']);
  });

  test('items of a List stand where they begin, whatever is written around them', () => {
    const text =
      '{"a":{"items":[{}]},"kind":"List","x":["{","\\"}",{"items":[{}]}],\n"items": [\n  {"s":"a\\\\"}, {"t":[{}]},\n{}\n],"z":[{}]}';
    expect(jsonItems(text)?.map(({ value }) => value)).toEqual([{ s: 'a\\' }, { t: [{}] }, {}]);
    expect(places(text)).toEqual(['3:3', '3:16', '4:1']);
  });

  test.each([['kind: Service'], ['[1]'], ['{"kind": "Service"'], ['{kind: Service}'], ['{"kind":"List","items":[1]}'], ['']])(
    '%j is left to the YAML parser',
    (text) => {
      expect(jsonItems(text)).toBe(null);
    },
  );

  test('places and faults are those that the YAML parser finds', () => {
    const faulty = { ...SERVICE, spec: { ...SERVICE.spec, ports: [{ port: 70_000 }] } };
    const text = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [SERVICE, faulty] }, null, 2);
    const view = (source: string) => {
      const file = parseManifestFile('f', source);
      if (file.kind !== 'objects') throw new Error(file.message);
      return file.objects.map(({ where, result, locate }) => ({
        where,
        faults: result.kind === 'faulty' ? result.faults.map(({ field, message }) => `${locate(field)} ${field} ${message}`) : [],
      }));
    };
    expect(view(text)).toEqual(view(`# a comment makes it YAML\n${text}`).map(shiftedUp));
    expect(view(text)[1]?.faults).toHaveLength(1);
  });
});

/** One line up: the comment of the YAML text. */
const shiftedUp = ({ where, faults }: { where: string; faults: string[] }) => {
  const up = (text: string): string => text.replace(/^f:(\d+)/, (_, line: string) => `f:${Number(line) - 1}`);
  return { where: up(where), faults: faults.map(up) };
};
