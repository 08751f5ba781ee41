/** Finds raw tokens in bytes, many at once. */
export interface TokenScanner {
  /** Tokens in one piece of a stream, and across the border to the one before; a piece is scanned once. */
  scan(piece: Uint8Array): string[];
}

/** Bytes by which tokens are told apart first. */
const WINDOW = 4;
const BITS = 22;

const hashOf = (window: number) => Math.imul(window, 0x9e3779b1) >>> (32 - BITS);

/**
 * Prepares the search for `tokens`, each at least as long as the window. A table of the hashes of their first bytes is
 * asked at every position, which costs the same for one token as for a hundred thousand.
 */
export function createTokenSearch(tokens: Iterable<string>): () => TokenScanner {
  const table = new Uint8Array(2 ** BITS / 8);
  const byWindow = new Map<number, Buffer[]>();
  let longest = WINDOW;
  for (const token of tokens) {
    const bytes = Buffer.from(token);
    if (bytes.length < WINDOW) throw new RangeError('a token is too short to search for');
    const window = bytes.readUInt32BE(0);
    const bit = hashOf(window);
    table[bit >>> 3] = (table[bit >>> 3] ?? 0) | (1 << (bit & 7));
    byWindow.set(window, [...(byWindow.get(window) ?? []), bytes]);
    longest = Math.max(longest, bytes.length);
  }

  return () => {
    let rest: Buffer = Buffer.alloc(0);
    return {
      scan(piece) {
        const bytes = Buffer.concat([rest, piece]);
        const found = new Set<string>();
        let window = 0;
        for (let at = 0; at < bytes.length; at += 1) {
          window = ((window << 8) | (bytes[at] ?? 0)) >>> 0;
          if (at < WINDOW - 1) continue;
          const bit = hashOf(window);
          if (((table[bit >>> 3] ?? 0) & (1 << (bit & 7))) === 0) continue;
          const start = at - WINDOW + 1;
          for (const token of byWindow.get(window) ?? []) {
            if (
              bytes.compare(token, 0, token.length, start, Math.min(bytes.length, start + token.length)) === 0
            ) {
              found.add(token.toString());
            }
          }
        }
        rest = bytes.subarray(Math.max(0, bytes.length - longest + 1));
        return [...found];
      },
    };
  };
}
