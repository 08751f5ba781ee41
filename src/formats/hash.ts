import { hash } from 'node:crypto';

/**
 * The hash that names an access token where the token itself must not appear:
 * base64url SHA-256 of its characters, computed as the `ath` claim of RFC 9449 section 4.2.
 */
export function tokenHash(token: string): string {
  return hash('sha256', token, 'base64url');
}

/**
 * A deterministic id of 128 bits (32 hex digits) for a list of texts.
 * Each part is framed by its length, so ('ab', 'c') and ('a', 'bc') differ.
 */
export function digest(...parts: string[]): string {
  const framed = parts.map((part) => `${part.length}:${part}`).join('');
  return hash('sha256', framed, 'hex').slice(0, 32);
}
