/** IMF-fixdate and the obsolete RFC 850 form (RFC 9110 section 5.6.7); both are always GMT. */
const HTTP_DATE = /^[A-Z][a-z]{2,8}, \d{2}[ -][A-Z][a-z]{2}[ -]\d{2,4} \d{2}:\d{2}:\d{2} GMT$/;

/**
 * How long a server asks to wait by its Retry-After header (RFC 9110 section 10.2.3: seconds or an HTTP date).
 *
 * @param now epoch milliseconds
 * @returns milliseconds, not negative; undefined where the header is absent or says nothing intelligible
 */
export function parseRetryAfter(header: string | null, now: number): number | undefined {
  const value = header?.trim() ?? '';
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  if (!HTTP_DATE.test(value)) return undefined;
  const until = Date.parse(value);
  return Number.isNaN(until) ? undefined : Math.max(0, until - now);
}
