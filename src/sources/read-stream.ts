import type { BatchHandler } from './port.ts';
import { createBatcher, type BatchHead } from './batches.ts';
import { handOver, type HandOverContext } from './hand-over.ts';
import { createLineSplitter } from './lines.ts';

/** A stream that is read to its end. */
export interface StreamReading extends HandOverContext {
  readonly head: BatchHead;
  readonly maxLine: number;
  /** Whether nothing more is at hand right now, so that what is there is handed over before a batch is full. */
  readonly idle: () => boolean;
}

/**
 * Reads lines to the end of a stream and hands them over in batches. It reads on only when a batch is durable,
 * so memory is bounded by a batch and the buffer of the stream.
 *
 * @throws errors of the stream, and those of `onBatch` that no retry helps
 */
export async function readStream(
  input: AsyncIterable<unknown>,
  onBatch: BatchHandler,
  reading: StreamReading,
): Promise<void> {
  const splitter = createLineSplitter(reading.maxLine);
  const batcher = createBatcher(reading.head);
  for await (const chunk of input) {
    if (!(chunk instanceof Uint8Array)) throw new TypeError('a source stream must give bytes');
    const batches = batcher.add(splitter.push(chunk));
    if (reading.idle()) batches.push(...batcher.rest());
    for (const batch of batches) if ((await handOver(batch, onBatch, reading)) === null) return;
  }
  for (const batch of [...batcher.add(splitter.end()), ...batcher.rest()]) {
    if ((await handOver(batch, onBatch, reading)) === null) return;
  }
}
