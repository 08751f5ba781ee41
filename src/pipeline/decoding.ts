import { hash } from 'node:crypto';
import type { DeadLetter } from '../../schemas/dead-letter.ts';
import { isRecallError } from '../errors.ts';
import { decodeRecord } from '../formats/decode.ts';
import { digest } from '../formats/hash.ts';
import { maskTokens } from '../formats/mask.ts';
import type { AccessEvent } from '../../schemas/access-event.ts';
import type { AuthorizationEvent } from '../../schemas/authorization-event.ts';
import type { Custody } from '../response/custody.ts';
import type { SourceBatch, SourceRecord } from '../sources/port.ts';
import type { Arrival, SealedToken } from '../store/port.ts';
import { decodeRepartitioned, REPARTITIONED } from './repartition.ts';

/** Longest piece of a refused record that is kept readable. */
const EXCERPT = 2048;
/** Largest refused record that is kept whole, sealed. */
const SEALED = 65_536;

/** An event as decoded, with where it stood. */
export interface DecodedEvent {
  event: AccessEvent | AuthorizationEvent;
  arrival: Arrival;
  /** Where it stands in the Kafka partition it first came in by. */
  origin?: { stream: string; offset: number } | undefined;
}

export interface Decoded {
  events: DecodedEvent[];
  custody: SealedToken[];
  deadLetters: DeadLetter[];
}

export interface DecodingOptions {
  custody: Pick<Custody, 'available' | 'seal' | 'sealBytes'>;
  /** How far ahead of arrival an event time may be, ms. */
  maxFuture: number;
}

export type Decoding = ReturnType<typeof createDecoding>;

/** Creates what makes events of records, and dead letters of those that are none. */
export function createDecoding({ custody, maxFuture }: DecodingOptions) {
  /** @param now arrival, epoch milliseconds */
  function deadLetter(
    batch: SourceBatch,
    record: SourceRecord,
    code: string,
    reason: string,
    now: number,
  ): DeadLetter {
    const size = record.refused?.size ?? record.bytes.byteLength;
    const keep = custody.available && record.bytes.byteLength <= SEALED && record.refused === undefined;
    return {
      dead_letter_id: digest(
        'dead-letter',
        batch.source,
        record.position,
        hash('sha256', record.bytes, 'hex'),
      ),
      received_at: now,
      source: batch.source,
      position: record.position,
      stream: batch.stream,
      step: record.refused === undefined ? 'decode' : 'receive',
      code,
      reason,
      size,
      excerpt: maskTokens(record.bytes, EXCERPT),
      sealed: keep ? custody.sealBytes(record.bytes) : '',
    };
  }

  /** An event that another worker, or this one, decoded and brought to the repartition topic. */
  function decodeForwarded({ bytes }: SourceRecord): DecodedEvent | { code: string; reason: string } {
    try {
      const { event, arrival, origin } = decodeRepartitioned(bytes);
      return { event, arrival, origin };
    } catch (error) {
      if (isRecallError(error)) return { code: error.code, reason: error.message };
      throw error;
    }
  }

  /** @param now arrival, epoch milliseconds */
  function decode(batch: SourceBatch, records: readonly SourceRecord[], now: number): Decoded {
    const decoded: Decoded = { events: [], custody: [], deadLetters: [] };
    const { stream, format, source } = batch;
    for (const record of records) {
      if (record.refused !== undefined) {
        const { code, reason } = record.refused;
        decoded.deadLetters.push(deadLetter(batch, record, code, reason, now));
        continue;
      }
      if (format === REPARTITIONED) {
        const result = decodeForwarded(record);
        if ('event' in result) decoded.events.push(result);
        else decoded.deadLetters.push(deadLetter(batch, record, result.code, result.reason, now));
        continue;
      }
      const result = decodeRecord(record, { stream, format, now, maxFuture });
      if (!result.ok) {
        decoded.deadLetters.push(deadLetter(batch, record, result.code, result.reason, now));
        continue;
      }
      const { event } = result;
      if (event.kind === 'access' && result.token !== undefined) {
        const sealed = custody.seal(result.token, event);
        if (sealed !== null) decoded.custody.push(sealed);
      }
      const arrival = { source, position: record.position, received_at: now };
      const { origin: from } = batch;
      const origin =
        from === undefined || record.offset === undefined
          ? undefined
          : { stream: from, offset: record.offset };
      decoded.events.push({ event, arrival, origin });
    }
    return decoded;
  }

  return { decode, deadLetter };
}
