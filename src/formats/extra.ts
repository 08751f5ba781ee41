import { maskCredentials } from './mask.ts';

/** Keys whose values are credentials, in any spelling (`X-Access-Token`, `accessToken`, `set-cookie`). */
const CREDENTIAL_KEY =
  /(?:authorization|cookies?|tokens?|jwt|bearer|secrets?|passw(?:or)?d|passphrase|assertion|apikey|privatekey|credentials?|codeverifier|authorizationcode|sessionid|proof)(?:header|value|raw|string)?$/;

/** Nested deeper than this, a value is dropped: what reads it later may recurse. */
const MAX_DEPTH = 8;

/** The raw token of a line and what stands in for it wherever else the line repeats it. */
export interface TokenReplacement {
  readonly token: string;
  readonly hash: string;
}

/** Any surrogate, paired or not: a cheap look before the search for lone ones. */
const SURROGATE = /[\ud800-\udfff]/;

/** Shorter ones would match ordinary text; no server issues them. */
const MIN_REPLACED = 16;

/** Takes a token that the line repeats outside `token`, and lone surrogates, which no store takes, out of a text. */
export function scrubText(text: string, replace: TokenReplacement | undefined): string {
  const named =
    replace !== undefined && replace.token.length >= MIN_REPLACED && text.includes(replace.token)
      ? text.replaceAll(replace.token, replace.hash)
      : text;
  return SURROGATE.test(named) ? named.replace(/\p{Cs}/gu, '\uFFFD') : named;
}

/** Whether a key promises a credential. */
export function isCredentialKey(key: string): boolean {
  return CREDENTIAL_KEY.test(key.toLowerCase().replace(/[^a-z0-9]/g, ''));
}

/**
 * A copy of a JSON value that may be kept: keys sorted, so that equal content is equal text; keys that promise a
 * credential dropped at any depth, credentials inside texts masked; `__proto__` and what is nested too deep dropped.
 */
export function keepable(value: unknown, replace: TokenReplacement | undefined, depth = 0): unknown {
  if (typeof value === 'string') return maskCredentials(scrubText(value, replace));
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return undefined;
  if (Array.isArray(value)) {
    return value.map((item) => keepable(item, replace, depth + 1) ?? null);
  }
  const entries = Object.entries(value).filter(([key]) => key !== '__proto__' && !isCredentialKey(key));
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  const kept: Record<string, unknown> = {};
  for (const [key, item] of entries) {
    const keptItem = keepable(item, replace, depth + 1);
    if (keptItem !== undefined) kept[scrubText(key, replace)] = keptItem;
  }
  return kept;
}
