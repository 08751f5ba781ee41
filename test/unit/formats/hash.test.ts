import { expect, it } from 'vitest';
import { digest, tokenHash } from '../../../src/formats/hash.ts';

it('tokenHash is ath of RFC 9449: the access token and hash of its section 7.1 example', () => {
  expect(tokenHash('Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU')).toBe(
    'fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo',
  );
});

it('digest is 128 bits in hex, and keeps its parts apart', () => {
  expect(digest('a')).toMatch(/^[0-9a-f]{32}$/);
  expect(digest('ab', 'c')).toBe(digest('ab', 'c'));
  expect(
    new Set([digest('ab', 'c'), digest('a', 'bc'), digest('abc'), digest('abc', ''), digest('c', 'ab')]).size,
  ).toBe(5);
});
