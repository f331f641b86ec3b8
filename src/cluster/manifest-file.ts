// The text of one manifest file -> the objects in it, with where each stands.
import { isMap, isScalar, isSeq, LineCounter, parseAllDocuments, type Node as YamlNode } from 'yaml';
import { type JsonItem, jsonItems } from './json-manifest.ts';
import { type ReadResult, readObject } from './read-object.ts';

export interface ManifestObject {
  readonly where: string; // 'services.yaml:12:1'
  readonly result: ReadResult;
  readonly locate: (field: string) => string; // where a field of it stands
}

export type ManifestFile =
  | { readonly kind: 'objects'; readonly objects: readonly ManifestObject[] }
  | { readonly kind: 'unreadable'; readonly where: string; readonly message: string };

/** YAML (any number of documents) or JSON; a `List` stands for its items. An empty document is nothing. */
export function parseManifestFile(fileName: string, text: string): ManifestFile {
  const items = jsonItems(text);
  return items ? fromJson(fileName, text, items) : parseYaml(fileName, text);
}

function fromJson(fileName: string, text: string, items: readonly JsonItem[]): ManifestFile {
  let slow: ManifestFile | null = null;
  const locate = (i: number, field: string, where: string): string => {
    slow ??= parseYaml(fileName, text);
    return slow.kind === 'objects' ? (slow.objects[i]?.locate(field) ?? where) : where;
  };
  const objects = items.map(({ value, line, column }, i): ManifestObject => {
    const where = `${fileName}:${line}:${column}`;
    return { where, result: readObject(value), locate: (field) => locate(i, field, where) };
  });
  return { kind: 'objects', objects };
}

function parseYaml(fileName: string, text: string): ManifestFile {
  const lines = new LineCounter();
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${fileName}:${line}:${col}`;
  };
  const documents = parseAllDocuments(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false });
  if (!Array.isArray(documents)) return { kind: 'objects', objects: [] };
  const objects: ManifestObject[] = [];
  for (const document of documents) {
    const [error] = document.errors;
    if (error) return { kind: 'unreadable', where: at(error.pos[0]), message: firstLine(error.message) };
    const root = document.contents;
    if (root === null || (isScalar(root) && root.value === null)) continue;
    let items: (YamlNode | null)[] = [root];
    if (isMap(root) && String(root.get('kind') ?? '').endsWith('List') && isSeq(root.get('items'))) {
      items = (root.get('items') as { items: (YamlNode | null)[] }).items;
    }
    for (const item of items) {
      if (!item) continue;
      // Anchors may refer to other parts of the document, so it is the document that resolves them.
      let value: unknown;
      try {
        value = item.toJS(document, { maxAliasCount: 1000 });
      } catch (unresolved) {
        return { kind: 'unreadable', where: at(item.range?.[0] ?? 0), message: firstLine((unresolved as Error).message) };
      }
      objects.push({ where: at(item.range?.[0] ?? 0), result: readObject(value), locate: (field) => at(offsetOf(item, field)) });
    }
  }
  return { kind: 'objects', objects };
}

/** Offset of 'spec.ports[0].port', or of the nearest thing around it that is there. */
function offsetOf(item: YamlNode, field: string): number {
  let node: unknown = item;
  let offset = item.range?.[0] ?? 0;
  for (const step of field.match(/[^.[\]]+/g) ?? []) {
    const next: unknown = isMap(node) ? node.get(step, true) : isSeq(node) ? node.get(Number(step), true) : undefined;
    if (next === undefined || next === null) break;
    node = next;
    offset = (next as YamlNode).range?.[0] ?? offset;
  }
  return offset;
}

const firstLine = (text: string): string => text.split('\n')[0] ?? text;
