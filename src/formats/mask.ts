const MASKED = '[masked]';

/** What b64token (RFC 6750 section 2.1) is made of, and what escapes it in JSON and in URLs. */
const TOKEN_RUN = /[A-Za-z0-9._~+/=\\%|-]{16,}/g;

/**
 * A key that promises a credential, and its value: a string (maybe unterminated), a list, an object, or bare text.
 * Quantifiers before the key word are bounded, or a long run of letters would be tried from each of its positions.
 */
const CREDENTIAL_PAIR =
  /([\w.-]{0,64}(?:token|authorization|secret|passw|cookie|assertion|jwt|bearer|api.?key|private.?key|credential|verifier)[\w.-]{0,64}\\?["']?\s{0,8}[:=]\s{0,8})(\\?"(?:[^"\\]|\\.)*(?:\\?"|\\?$)|'[^']*'?|\[[^\]]*\]?|\{[^}]*\}?|[^\s,}\]&;]+)/gi;

/**
 * The beginning of a record for people to look at, without anything that could be a token: every run of 16 or
 * more token characters is masked, and the values of credential-like keys whatever their length. The record
 * may be cut, garbage or no JSON at all, so this reads characters, not structure.
 *
 * @param bytes the record, or its beginning
 * @param maxChars length of the excerpt, in UTF-16 code units
 */
export function maskTokens(bytes: Uint8Array, maxChars: number): string {
  // Masking shortens: four times the wanted length is enough to fill the excerpt with ordinary text.
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, maxChars * 4));
  return (
    head
      .toString('utf8')
      // UTF-16 shows as characters with NUL between them: take it out, or no run would ever be seen.
      .replaceAll('\0', '')
      // eslint-disable-next-line no-control-regex -- control characters are what it takes out
      .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]+/g, ' ')
      .replace(CREDENTIAL_PAIR, `$1${MASKED}`)
      .replace(TOKEN_RUN, MASKED)
      .slice(0, maxChars)
      // A surrogate left alone by the cut is no text.
      .replace(/\p{Cs}/gu, '')
  );
}

const PARAMETER =
  /((?:token|(?<![a-z])code|secret|passw(?:or)?d|assertion|api_?key|session_?id|(?<![a-z])jwt)(?:=|%3d))[^&;\s"'#]*/gi;
const SCHEME = /\b(Bearer|DPoP|Basic)(\s{1,8}|%20|\+)[A-Za-z0-9._~+/=-]{6,}/gi;
const SCHEME_WORD = /b(?:earer|asic)|dpop/i;
const JWT = /(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.-]*/g;

/**
 * Takes credentials out of a text that is kept (a path, a user agent, an unknown field): URL parameters that
 * carry one, `Authorization` values, JWTs. Ordinary text comes back as it is.
 */
export function maskCredentials(text: string): string {
  // Every event passes here, so first a cheap look for what each pattern cannot do without.
  let masked = text;
  if (text.includes('=') || text.includes('%3')) masked = masked.replace(PARAMETER, `$1${MASKED}`);
  if (text.includes('eyJ')) masked = masked.replace(JWT, MASKED);
  return SCHEME_WORD.test(text) ? masked.replace(SCHEME, `$1$2${MASKED}`) : masked;
}
