const ID = '{id}';
const MAX_SEGMENTS = 24;
const MAX_STATIC = 40;

const PATTERNS = [
  /^[+-]?\d+(?:[.,:]\d+)*$/, // 42, 1,2,3, 12.5
  /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i, // UUID
  /^(?=.*\d)[0-9a-f]{8,}$/i, // hex: object ids, digests
  /^\d{4}-\d{2}(?:-\d{2})?(?:T.*)?$/, // 2026-01-31
  /@/, // an address
];

/**
 * Path of a request as logged, without what does not belong there: scheme and authority of an absolute URI,
 * query and fragment, which may carry an access token (RFC 6750 section 2.3).
 */
export function requestPath(logged: string): string {
  const path = logged.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '');
  return path === '' ? '/' : path;
}

/** Whether a path segment names one thing among many, rather than a kind of thing. */
function isIdentifier(segment: string): boolean {
  if (segment.length > MAX_STATIC || PATTERNS.some((pattern) => pattern.test(segment))) return true;
  const digits = segment.match(/\d/g)?.length ?? 0;
  if (digits >= 5) return true;
  // Random text: base64url or base62 of 80 bits and more mixes cases and digits; words do not.
  return segment.length >= 16 && digits >= 1 && /[a-z]/.test(segment) && /[A-Z]/.test(segment);
}

function template(segment: string): string {
  // Matrix parameters go; the key of an OData entity, Users(42), is an identifier.
  const bare = segment.replace(/;.*$/s, '').replace(/\(.+\)$/s, `(${ID})`);
  if (isIdentifier(bare)) return ID;
  // 42.json: the extension belongs to the kind.
  const extension = /^(.+)(\.[a-z]{1,5})$/i.exec(bare);
  if (extension?.[1] !== undefined && isIdentifier(extension[1])) return `${ID}${extension[2] ?? ''}`;
  return bare;
}

/**
 * Route template of a path: identifiers become `{id}` (`/users/42/orders/7f3c…` → `/users/{id}/orders/{id}`).
 * Pure and bounded: at most 24 segments of at most 40 characters (below the 1024 of the schema), the rest as `…`.
 *
 * @param path path without query
 */
export function deriveRoute(path: string): string {
  const segments = path.split('/', MAX_SEGMENTS + 8).filter((segment) => segment !== '');
  const kept = segments.slice(0, MAX_SEGMENTS).map(template);
  return `/${kept.join('/')}${segments.length > MAX_SEGMENTS ? '/…' : ''}`;
}
