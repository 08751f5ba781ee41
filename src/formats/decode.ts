import type { AccessEvent } from '../../schemas/access-event.ts';
import type { AuthorizationEvent } from '../../schemas/authorization-event.ts';
import type { Secret } from '../../schemas/secret.ts';
import { isRecallError, type RecallErrorCode } from '../errors.ts';
import type { SourceRecord, Stream } from '../sources/port.ts';
import { decodeAccess } from './access.ts';
import { decodeAuthorization } from './authorization.ts';
import { formatNamed } from './registry.ts';
import { checkFuture } from './time.ts';

/** What decoding made of a record: an event, with the raw token if the record had one, or the reason it is none. */
export type Decoded =
  | { ok: true; event: AccessEvent | AuthorizationEvent; token?: Secret }
  | { ok: false; code: RecallErrorCode; reason: string };

/** What a record is decoded under. */
export interface DecodeContext {
  readonly stream: Stream;
  /** Name of the format. */
  readonly format: string;
  /** Arrival, epoch ms; undefined in a backtest, where only the bounds of the schema apply. */
  readonly now: number | undefined;
  /** How far ahead of arrival an event time may be, ms. */
  readonly maxFuture: number;
}

/** Bytes that are no UTF-8 become U+FFFD, a byte order mark goes. */
function textOf(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  return text.startsWith('\uFEFF') ? text.slice(1) : text;
}

/**
 * Decodes one record. Pure; whatever the bytes are, the outcome is an event or a reason, never an exception.
 * A reason contains no value of the record: any field may hold a token.
 *
 * @throws RecallError ERR_CONFIG_INVALID where `context.format` is unknown, which is not the record's fault
 */
export function decodeRecord(record: SourceRecord, context: DecodeContext): Decoded {
  const format = formatNamed(context.format);
  if (record.refused !== undefined) {
    return { ok: false, code: record.refused.code, reason: record.refused.reason };
  }
  try {
    const line = format.read(textOf(record.bytes), context.stream);
    const decoded: { event: AccessEvent | AuthorizationEvent; token?: Secret } =
      context.stream === 'access' ? decodeAccess(line) : { event: decodeAuthorization(line) };
    checkFuture(decoded.event.time, context.now, context.maxFuture);
    return { ok: true, ...decoded };
  } catch (error) {
    if (isRecallError(error)) return { ok: false, code: error.code, reason: error.message };
    // A defect of ours must not stop the stream either; its message may quote the record, so only its kind is told.
    const kind = error instanceof Error ? error.name : typeof error;
    return { ok: false, code: 'ERR_DECODE_SCHEMA', reason: `could not be decoded (${kind})` };
  }
}
