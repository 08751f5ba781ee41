import { randomBytes } from 'node:crypto';
import type { AccessEvent } from '../../schemas/access-event.ts';
import { decodeRecord, type DecodeContext } from '../../src/formats/decode.ts';

/** Event time of {@link LINE}. */
export const TIME = Date.UTC(2026, 0, 5, 10);
/** The least an access line may be. */
export const LINE = { time: '2026-01-05T10:00:00Z', client_ip: '203.0.113.7', sub: 'user-1' };
export const randomToken = (bytes = 32) => randomBytes(bytes).toString('base64url');

/** Decodes a line given as an object, text or bytes. */
export function decode(line: unknown, context: Partial<DecodeContext> = {}) {
  const text = typeof line === 'string' || line instanceof Uint8Array ? line : JSON.stringify(line);
  return decodeRecord(
    { bytes: Buffer.from(text), position: '1' },
    { stream: 'access', format: 'canonical', now: undefined, maxFuture: 600_000, ...context },
  );
}

/** The access event of a line that must be one. */
export function accessEvent(line: unknown, context: Partial<DecodeContext> = {}): AccessEvent {
  const decoded = decode(line, context);
  if (!decoded.ok || decoded.event.kind !== 'access') throw new Error(JSON.stringify(decoded));
  return decoded.event;
}

/** Why a line is no event, which it must not be. */
export function refusal(line: unknown, context: Partial<DecodeContext> = {}) {
  const decoded = decode(line, context);
  if (decoded.ok) throw new Error('decoded');
  return decoded;
}
