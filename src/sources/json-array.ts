import { RecallError } from '../errors.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN = new Set([0x5b, 0x7b]);
const CLOSE = new Set([0x5d, 0x7d]);
const SPACE = new Set([0x20, 0x09, 0x0a, 0x0d]);
const ARRAY_OPEN = 0x5b;
const ARRAY_CLOSE = 0x5d;

function trimmed(bytes: Uint8Array, from: number, to: number): Uint8Array {
  let start = from;
  let end = to;
  while (start < end && SPACE.has(bytes[start] ?? 0)) start += 1;
  while (end > start && SPACE.has(bytes[end - 1] ?? 0)) end -= 1;
  return bytes.subarray(start, end);
}

/**
 * The elements of a JSON array as their original bytes, by looking only for strings, brackets and commas. What
 * an element is worth is for the decoder to say, so one bad element does not refuse its neighbours, and nothing
 * is parsed twice or recursed into.
 *
 * @throws RecallError ERR_DECODE_JSON where the body is no array, or its brackets and strings do not close
 */
export function splitJsonArray(body: Uint8Array): Uint8Array[] {
  const bytes = trimmed(body, 0, body.byteLength);
  if (bytes[0] !== ARRAY_OPEN) throw new RecallError('ERR_DECODE_JSON', 'the body is not a JSON array');
  const elements: Uint8Array[] = [];
  let depth = 0;
  let inString = false;
  let start = 1;
  for (let at = 0; at < bytes.byteLength; at += 1) {
    const byte = bytes[at] ?? 0;
    if (inString) {
      if (byte === BACKSLASH) at += 1;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if (OPEN.has(byte)) depth += 1;
    else if (byte === COMMA && depth === 1) {
      elements.push(trimmed(bytes, start, at));
      start = at + 1;
    } else if (CLOSE.has(byte)) {
      depth -= 1;
      if (depth === 0) {
        if (byte !== ARRAY_CLOSE || at !== bytes.byteLength - 1) break;
        const last = trimmed(bytes, start, at);
        if (elements.length > 0 || last.byteLength > 0) elements.push(last);
        return elements;
      }
    }
  }
  throw new RecallError('ERR_DECODE_JSON', 'the JSON array does not end where the body ends');
}
