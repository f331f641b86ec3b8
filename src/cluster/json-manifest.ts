// JSON by the engine's own parser, which is fifty times as fast as a YAML parser that knows where everything stands. Where the objects of
// a List begin is found by a scan; where a field stands is only asked about faulty objects, and then the YAML parser is.

export interface JsonItem {
  readonly value: unknown;
  readonly line: number; // from 1
  readonly column: number; // from 1
}

/** The object of a JSON text, or the items of its List. Null: not JSON, or of a shape that the caller had better look at himself. */
export function jsonItems(text: string): JsonItem[] | null {
  const start = /\S/.exec(text)?.index ?? -1;
  if (text[start] !== '{') return null;
  let root: { kind?: unknown; items?: unknown };
  try {
    root = JSON.parse(text) as typeof root;
  } catch {
    return null;
  }
  const isList = typeof root.kind === 'string' && root.kind.endsWith('List') && Array.isArray(root.items);
  const values = isList ? (root.items as unknown[]) : [root];
  const offsets = isList ? itemOffsets(text) : [start];
  return offsets.length === values.length ? placed(text, values, offsets) : null;
}

function placed(text: string, values: readonly unknown[], offsets: readonly number[]): JsonItem[] {
  let line = 1;
  let lineStart = 0;
  let lineEnd = text.indexOf('\n'); // looked for once a line, not once an item: a file may be one long line
  return values.map((value, i) => {
    const offset = offsets[i] ?? 0;
    for (; lineEnd >= 0 && lineEnd < offset; lineEnd = text.indexOf('\n', lineStart)) {
      line++;
      lineStart = lineEnd + 1;
    }
    return { value, line, column: offset - lineStart + 1 };
  });
}

const [QUOTE, COMMA, COLON, BACKSLASH] = [34, 44, 58, 92];
const [OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [91, 93, 123, 125];

/** Offsets of the objects in the root's "items", of a text that is known to be JSON. */
function itemOffsets(text: string): number[] {
  const offsets: number[] = [];
  let depth = 0;
  let key = '';
  let isKey = true;
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case QUOTE: {
        const end = endOfString(text, i);
        if (depth === 1 && isKey) key = text.slice(i + 1, end);
        i = end;
        break;
      }
      case COLON:
        if (depth === 1) isKey = false;
        break;
      case COMMA:
        if (depth === 1) isKey = true;
        break;
      case OPEN_OBJECT:
        if (depth === 2 && key === 'items') offsets.push(i);
        depth++;
        break;
      case OPEN_ARRAY:
        depth++;
        break;
      case CLOSE_OBJECT:
      case CLOSE_ARRAY:
        depth--;
        break;
    }
  }
  return offsets;
}

/** Of the quote that ends the string which begins at `start`. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); ; end = text.indexOf('"', end + 1)) {
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return end;
  }
}
