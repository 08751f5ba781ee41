import { createHmac } from 'node:crypto';
import type { Secret } from '../../../schemas/secret.ts';

/** Header with the time of signing, seconds since the epoch. */
export const TIMESTAMP_HEADER = 'x-token-recall-timestamp';
/** Header with `v1=` and the hexadecimal HMAC-SHA256. */
export const SIGNATURE_HEADER = 'x-token-recall-signature';

/**
 * Signs a webhook body: `v1=` and the hexadecimal HMAC-SHA256 (RFC 2104) over `timestamp.body`.
 * The timestamp is under the signature so that a receiver can refuse a delivery played back later.
 *
 * @param timestamp seconds since the epoch, as sent in the timestamp header
 */
export function sign(key: Secret, timestamp: string, body: string): string {
  return `v1=${createHmac('sha256', key.reveal()).update(`${timestamp}.${body}`).digest('hex')}`;
}
