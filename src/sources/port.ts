import type { DeadLetter } from '../../schemas/dead-letter.ts';

/** Which of the two logs a source carries. */
export type Stream = 'access' | 'authorization';

/** One record as a source read it, not decoded. */
export interface SourceRecord {
  /** The bytes as they came, without the line end; of a refused record only the beginning. */
  readonly bytes: Uint8Array;
  /** Where in the source it stood, for people and for dead letters: `topic/partition/offset`, a line number. */
  readonly position: string;
  /** Of a Kafka record: its offset, by which a redelivery is told. Offsets stay far below 2^53. */
  readonly offset?: number | undefined;
  /** Set where the source itself refuses the record (too large): nothing but the dead letters sees it. */
  readonly refused?: {
    readonly code: 'ERR_DECODE_TOO_LARGE';
    readonly reason: string;
    readonly size: number;
  };
}

/** Records that a source hands over together; they are durable when the handler's promise resolves. */
export interface SourceBatch {
  /** Name of the source, such as `kafka:gateway-access`. */
  readonly source: string;
  readonly stream: Stream;
  /** Name of the format the records are in. */
  readonly format: string;
  readonly records: readonly SourceRecord[];
  /** Of Kafka: where the records lie, as `topic/partition`. */
  readonly origin?: string | undefined;
  /**
   * The state partition whose keys the records touch, such as `token-recall.detect/3`; absent where the source does
   * not partition, and all its records belong to this worker's own partition `local`.
   */
  readonly partition?: string | undefined;
}

/** What became of a batch. */
export interface BatchOutcome {
  /** Records that were events. */
  readonly accepted: number;
  /** Records that went to the dead letters. */
  readonly deadLetters: number;
  /** Those dead letters, for a source that publishes them where its records come from (Kafka: `<topic>.dlq`). */
  readonly letters?: readonly DeadLetter[];
}

/** Takes a batch; resolves when everything it led to is durable. */
export type BatchHandler = (batch: SourceBatch) => Promise<BatchOutcome>;

export interface SourceHealth {
  readonly ok: boolean;
  /** In words, for /readyz. */
  readonly detail: string;
}

/** Is told which state partitions are this worker's, whenever its group has shared them out anew. */
export interface Assignments {
  /**
   * Takes over the state partitions that are new, and lets go of those that are not among `partitions` any more.
   * Called with none when the membership is lost.
   *
   * @param group consumer group whose partitions these are
   */
  assigned(group: string, partitions: readonly string[]): void;
}

/** Where logs come from. */
export interface Source {
  readonly name: string;
  /**
   * Reads until `signal` aborts or the source ends. A batch is acknowledged (offset committed, answer sent)
   * only after `onBatch` resolved; a rejection is not acknowledged, and the source hands the batch over again.
   *
   * ERR_STATE_FENCED from `onBatch` says that another worker has the partition: a consumer group is then left and
   * joined again, which shares the partitions out anew; any other source rejects with it.
   *
   * @param assignments is told of the state partitions, where the source partitions
   */
  run(onBatch: BatchHandler, signal: AbortSignal, assignments?: Assignments): Promise<void>;
  health(): SourceHealth;
}
