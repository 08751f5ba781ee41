import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, Scalar } from 'yaml';
import type { Document, Node, YAMLMap, YAMLError } from 'yaml';
import { messageOf } from '../errors.ts';
import { expandText } from './expand.ts';
import type { Problem } from './problem.ts';

export interface Position {
  line: number;
  column: number;
}

/** A configuration file read as YAML, with its expansions made. */
export interface ConfigDocument {
  /** What the file says, as plain data; an empty file is an empty mapping. */
  value: unknown;
  /** Problems of the file as YAML; `value` is worth nothing if there are any. */
  syntax: (Position & { problem: string })[];
  /** Duplicate keys and expansions that could not be made. */
  problems: Problem[];
  /** The expansions in the scalar at `path`, as written and without defaults; empty where there is none. */
  expansionsAt(path: readonly PropertyKey[]): readonly string[];
  positionOf(path: readonly PropertyKey[], at: Problem['at']): Position;
}

/** Decides, for an unquoted scalar with an expansion, which type its option wants. */
export type WantedType = (path: readonly PropertyKey[], value: unknown) => 'number' | 'boolean' | 'other';

const NUMBER = /^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?$/;

/**
 * Reads `text` as one strict YAML 1.2 document and expands `${…}` in its values (not in its keys).
 * An unquoted value with an expansion becomes a number or boolean where `wanted` says so and it looks like one;
 * otherwise an expanded value stays text, so that a password of digits is a password.
 */
export function readDocument(text: string, env: NodeJS.ProcessEnv, wanted: WantedType): ConfigDocument {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    // Found below instead, all of them and with their paths.
    uniqueKeys: false,
    stringKeys: true,
    logLevel: 'error',
  });
  const position = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  const problems: Problem[] = [];
  const expansions = new Map<unknown, readonly string[]>();
  const syntax = syntaxProblems(document, text, position);
  let value: unknown = {};

  if (syntax.length === 0) {
    try {
      const before: unknown = document.toJS();
      visit(document.contents, [], (node, path) => {
        if (isMap(node)) problems.push(...duplicateKeys(node, path));
        if (isScalar(node)) expandScalar(node, path, before);
      });
      value = document.toJS() ?? {};
    } catch (error) {
      // toJS refuses aliases that point nowhere, or that multiply (a "billion laughs").
      syntax.push({ ...position(0), problem: messageOf(error) });
    }
  }

  function expandScalar(node: Scalar, path: readonly PropertyKey[], before: unknown) {
    if (typeof node.value !== 'string' || !node.value.includes('${')) return;
    const result = expandText(node.value, env);
    if (!result.ok) {
      problems.push({ path, at: 'value', ...result });
      return;
    }
    expansions.set(node, result.names);
    const type = node.type === Scalar.PLAIN ? wanted(path, before) : 'other';
    if (type === 'number' && NUMBER.test(result.text)) node.value = Number(result.text);
    else if (type === 'boolean' && /^(true|false)$/.test(result.text)) node.value = result.text === 'true';
    else node.value = result.text;
  }

  return {
    value,
    syntax,
    problems,
    expansionsAt: (path) => expansions.get(nodeAt(document, path)) ?? [],
    positionOf: (path, at) => position(offsetOf(document, path, at)),
  };
}

function visit(
  node: unknown,
  path: readonly PropertyKey[],
  onNode: (node: Node, path: readonly PropertyKey[]) => void,
) {
  if (isScalar(node)) onNode(node, path);
  else if (isSeq(node))
    for (const [index, item] of node.items.entries()) visit(item, [...path, index], onNode);
  else if (isMap(node)) {
    onNode(node, path);
    for (const { key, value } of node.items) visit(value, [...path, keyText(key)], onNode);
  }
}

const keyText = (key: unknown) => String(isScalar(key) ? key.value : key);

function duplicateKeys(map: YAMLMap, path: readonly PropertyKey[]): Problem[] {
  const keys = map.items.map(({ key }) => keyText(key));
  const repeated = new Set(keys.filter((key, index) => keys.indexOf(key) !== index));
  return [...repeated].map((key) => ({
    path: [...path, key],
    at: 'key',
    problem: 'option is given more than once',
    got: `${keys.filter((other) => other === key).length} of them`,
    expected: 'one',
  }));
}

/** A value in the document, and its key where it stands in a mapping. */
interface Place {
  node: unknown;
  key?: unknown;
}

const followAlias = (document: Document, node: unknown) => (isAlias(node) ? node.resolve(document) : node);

function childOf(container: unknown, step: PropertyKey): Place | undefined {
  if (isSeq(container)) return typeof step === 'number' ? { node: container.items[step] } : undefined;
  if (!isMap(container)) return undefined;
  // The last of several, as in the value itself.
  const pair = container.items.findLast(({ key }) => keyText(key) === String(step));
  return pair && { node: pair.value, key: pair.key };
}

/** The places from the top of the document along `path`, as far as it goes. */
function trail(document: Document, path: readonly PropertyKey[]): Place[] {
  const places: Place[] = [{ node: document.contents }];
  for (const step of path) {
    const next = childOf(followAlias(document, places.at(-1)?.node), step);
    if (next === undefined) break;
    places.push(next);
  }
  return places;
}

function nodeAt(document: Document, path: readonly PropertyKey[]): unknown {
  const places = trail(document, path);
  return places.length === path.length + 1 ? followAlias(document, places.at(-1)?.node) : undefined;
}

/** Where the value, the key or the parent of `path` begins; where there is none, the nearest place above it. */
function offsetOf(document: Document, path: readonly PropertyKey[], at: Problem['at']): number {
  const places = trail(document, path);
  const exists = places.length === path.length + 1;
  const place = exists && at === 'parent' ? places.at(-2) : places.at(-1);
  const value = rangeOf(place?.node);
  const key = rangeOf(place?.key);
  // An empty value has a place but no text: its key shows it better, where it has one.
  const empty = value !== undefined && value[0] === value[1];
  const [start = 0] = (exists && at === 'value' && !empty ? (value ?? key) : (key ?? value)) ?? [];
  return start;
}

function rangeOf(node: unknown): readonly number[] | undefined {
  const positioned = isScalar(node) || isMap(node) || isSeq(node) || isAlias(node);
  return positioned ? (node.range ?? undefined) : undefined;
}

function syntaxProblems(document: Document.Parsed, text: string, position: (offset: number) => Position) {
  const found = new Map<number, Position & { problem: string }>();
  for (const error of [...document.errors, ...document.warnings]) {
    const at = position(error.pos[0]);
    // One mistake makes a parser stumble several times in a line: the first says it.
    if (!found.has(at.line)) found.set(at.line, { ...at, problem: describe(error, text) });
  }
  return [...found.values()].sort((a, b) => a.line - b.line);
}

/** The parser's message where it cannot quote the file, which may hold a secret there; else our own. */
function describe(error: YAMLError, text: string): string {
  if (text[error.pos[0] - 1] === '$') return 'an expansion within [ ] or { } must be in quotes';
  switch (error.code) {
    case 'UNEXPECTED_TOKEN':
      return 'not valid YAML here';
    case 'BAD_DQ_ESCAPE':
      return 'unknown escape in a double-quoted text';
    case 'TAG_RESOLVE_FAILED':
      return 'YAML tags are not supported';
    case 'MULTIPLE_DOCS':
      return 'more than one YAML document in the file';
    default:
      return error.message;
  }
}
