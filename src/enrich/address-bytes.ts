const DOT = 0x2e;
const COLON = 0x3a;

/**
 * Reads a dotted IPv4 address from `bytes[from..to)` into `words[0]`, without making a string of it.
 *
 * @returns false where it is none
 */
export function readIPv4(bytes: Uint8Array, from: number, to: number, words: Uint32Array): boolean {
  let word = 0;
  let octet = -1;
  let octets = 0;
  for (let at = from; at <= to; at++) {
    const byte = at === to ? DOT : (bytes[at] ?? 0);
    if (byte === DOT) {
      if (octet === -1) return false;
      word = word * 256 + octet;
      octets += 1;
      octet = -1;
    } else {
      const digit = byte - 0x30;
      if (digit < 0 || digit > 9) return false;
      octet = (octet === -1 ? 0 : octet * 10) + digit;
      if (octet > 255) return false;
    }
  }
  words[0] = word;
  return octets === 4;
}

/**
 * Reads an IPv6 address (RFC 4291 section 2.2, without the form that ends in dotted IPv4) from `bytes[from..to)`
 * into the four `words`.
 *
 * @returns false where it is none
 */
export function readIPv6(bytes: Uint8Array, from: number, to: number, words: Uint32Array): boolean {
  const groups = [0, 0, 0, 0, 0, 0, 0, 0];
  let count = 0;
  let gap = -1;
  let at = from;
  while (at < to) {
    if (bytes[at] === COLON) {
      // Only the double colon may stand where a group is expected, and only once.
      if (bytes[at + 1] !== COLON || gap !== -1) return false;
      gap = count;
      at += 2;
      continue;
    }
    const end = groupEnd(bytes, at, to);
    const group = hexadecimal(bytes, at, end);
    if (group === -1 || count === 8) return false;
    groups[count++] = group;
    at = end;
    if (at < to && bytes[at + 1] !== COLON) at += 1; // A single colon separates; a double one is the gap.
    if (at === to && bytes[to - 1] === COLON && gap !== count) return false;
  }
  if (gap === -1 ? count !== 8 : count > 7) return false;
  if (gap !== -1) {
    groups.copyWithin(8 - (count - gap), gap, count);
    groups.fill(0, gap, 8 - (count - gap));
  }
  for (let i = 0; i < 4; i++) words[i] = ((groups[2 * i] ?? 0) * 65_536 + (groups[2 * i + 1] ?? 0)) >>> 0;
  return true;
}

function groupEnd(bytes: Uint8Array, from: number, to: number): number {
  let end = from;
  while (end < to && bytes[end] !== COLON) end += 1;
  return end;
}

/** One to four hexadecimal digits, or -1. */
function hexadecimal(bytes: Uint8Array, from: number, to: number): number {
  if (to === from || to - from > 4) return -1;
  let value = 0;
  for (let at = from; at < to; at++) {
    const byte = (bytes[at] ?? 0) | 0x20; // Lower case; digits have the bit already.
    const digit = byte >= 0x61 ? byte - 0x57 : byte - 0x30;
    if (digit < 0 || digit > 15 || (byte < 0x61 && digit > 9)) return -1;
    value = value * 16 + digit;
  }
  return value;
}
