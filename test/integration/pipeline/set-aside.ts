import { randomBytes } from 'node:crypto';
import { secret } from '../../../schemas/secret.ts';
import type { DeadLetter } from '../../../schemas/dead-letter.ts';
import { decodeRecord } from '../../../src/formats/decode.ts';
import { digest, tokenHash } from '../../../src/formats/hash.ts';
import { maskTokens } from '../../../src/formats/mask.ts';
import { createCustody, type Custody } from '../../../src/response/custody.ts';
import type { BatchHandler } from '../../../src/sources/port.ts';
import type { Store, StoreBatch } from '../../../src/store/port.ts';

export const MINUTE = 60_000;

/** A custody with a key of its own, or without one. */
export function custodyOf(key: string | undefined = randomBytes(32).toString('base64')): Custody {
  return createCustody({
    key: key === '' ? undefined : secret(key),
    defaultTtl: MINUTE,
    find: () => Promise.resolve(null),
  });
}

/** The worker's first step and its last: decodes batches, and stores events and what is none. */
export function storing(store: Store, custody: Custody) {
  const setting = { maxFuture: 10 * MINUTE };
  const handle: BatchHandler = async (batch) => {
    const { stream, format, source } = batch;
    const access_events: NonNullable<StoreBatch['access_events']>[number][] = [];
    const dead_letters: DeadLetter[] = [];
    for (const record of batch.records) {
      const { bytes, position } = record;
      const now = Date.now();
      const decoded = decodeRecord(record, { stream, format, now, maxFuture: setting.maxFuture });
      if (!decoded.ok) {
        const { code, reason } = decoded;
        dead_letters.push({
          ...{ source, position, stream, code, reason, received_at: now, step: 'decode' },
          dead_letter_id: digest('dead-letter', source, position, tokenHash(Buffer.from(bytes).toString())),
          size: bytes.byteLength,
          excerpt: maskTokens(bytes, 2048),
          sealed: custody.sealBytes(bytes),
        });
      } else if (decoded.event.kind === 'access') {
        const enrichment = { ip: decoded.event.client_ip, network: 'unknown' as const };
        const arrival = { source, position, received_at: now };
        access_events.push({ event: { ...decoded.event, enrichment }, arrival });
      }
    }
    await store.write({ access_events, dead_letters });
    return { accepted: access_events.length, deadLetters: dead_letters.length };
  };
  /** Hands records over as a source does. */
  const feed = (records: readonly string[], source = 'file:access.log') =>
    handle({
      source,
      stream: 'access',
      format: 'canonical',
      records: records.map((text, index) => ({ bytes: Buffer.from(text), position: String(index + 1) })),
    });
  return { setting, handle, feed };
}

/** An access event `ahead` of now, ms, as a log line. Its token is new in each run. */
export function line(
  request_id: string,
  ahead: number,
  token = randomBytes(24).toString('base64url'),
): string {
  const time = new Date(Date.now() + ahead).toISOString();
  return JSON.stringify({ time, request_id, client_ip: '192.0.2.10', client_id: 'web', token });
}
