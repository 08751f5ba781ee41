/** What the caller of failing code does about it: try again, set the record aside, or stop. */
export type Disposition = 'retry' | 'dead-letter' | 'fatal';

/** Every error the product raises by itself, with what is to be done about it. */
const DISPOSITIONS = {
  ERR_CONFIG_READ: 'fatal',
  ERR_CONFIG_INVALID: 'fatal',
  ERR_CONFIG_EXPOSED: 'fatal',
  ERR_USAGE: 'fatal',
  ERR_DECODE_JSON: 'dead-letter',
  ERR_DECODE_SCHEMA: 'dead-letter',
  ERR_DECODE_TOO_LARGE: 'dead-letter',
  ERR_DECODE_TIME: 'dead-letter',
  ERR_DECODE_ADDRESS: 'dead-letter',
  ERR_DECODE_IDENTITY: 'dead-letter',
  ERR_DETECTOR: 'dead-letter',
  ERR_SOURCE_UNAVAILABLE: 'retry',
  ERR_SOURCE_READ: 'fatal',
  ERR_GEO_FILE: 'fatal',
  ERR_STORE_UNAVAILABLE: 'retry',
  ERR_STORE_REFUSED: 'fatal',
  ERR_STORE_EMBEDDED: 'fatal',
  ERR_STATE_VERSION: 'fatal',
  ERR_STATE_FENCED: 'fatal',
  ERR_PARTITIONING: 'fatal',
  ERR_MIGRATION: 'fatal',
  ERR_CUSTODY_KEY: 'fatal',
  ERR_CUSTODY_OPEN: 'dead-letter',
  ERR_RESPONDER_UNAVAILABLE: 'retry',
  ERR_RESPONDER_REFUSED: 'dead-letter',
  ERR_SINK_UNAVAILABLE: 'retry',
  ERR_SINK_REFUSED: 'dead-letter',
  ERR_API_ADDRESS: 'fatal',
} as const satisfies Record<string, Disposition>;

export type RecallErrorCode = keyof typeof DISPOSITIONS;

/** An error of the product. Switch on {@link code}; the message is for people and carries no secret. */
export class RecallError extends Error {
  override readonly name = 'RecallError';
  readonly code: RecallErrorCode;
  readonly disposition: Disposition;
  /** How long the other side asked us to wait (Retry-After), in milliseconds. */
  readonly retryAfter: number | undefined;

  constructor(
    code: RecallErrorCode,
    message: string,
    options: { cause?: unknown; retryAfter?: number | undefined } = {},
  ) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.disposition = DISPOSITIONS[code];
    this.retryAfter = options.retryAfter;
  }
}

/** Whether `error` is ours with that code. */
export function isRecallError(error: unknown, code?: RecallErrorCode): error is RecallError {
  return error instanceof RecallError && (code === undefined || error.code === code);
}

/** The one-line message of anything thrown, for people. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}
