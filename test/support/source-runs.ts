import { expect } from 'vitest';
import { createLogger, type Logger } from '../../src/telemetry/log.ts';
import type { Assignments, BatchHandler, BatchOutcome, Source, SourceBatch } from '../../src/sources/port.ts';

export const silentLog: Logger = createLogger('silent');

/** A source at work, and what it handed over so far. */
export interface SourceRun {
  readonly batches: SourceBatch[];
  /** Each list of state partitions it was assigned, in order; the empty one where a membership ended. */
  readonly assigned: (readonly string[])[];
  /** Text of every record that was taken, in order. */
  texts(): string[];
  /** Resolves when that many records were taken. */
  reached(count: number): Promise<void>;
  /** Resolves or rejects as the run does. */
  readonly ended: Promise<void>;
  /** Aborts the run and waits for its end. */
  stop(): Promise<void>;
}

const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8');

/**
 * Runs a source with a handler that takes everything.
 *
 * @param handler looks at a batch first; what it throws the source meets, and the batch does not count as taken
 */
export function startSource(
  source: Source,
  handler?: (batch: SourceBatch) => Promise<Partial<BatchOutcome> | undefined>,
): SourceRun {
  const controller = new AbortController();
  const batches: SourceBatch[] = [];
  const texts = () => batches.flatMap((batch) => batch.records.map((record) => textOf(record.bytes)));
  const assigned: (readonly string[])[] = [];
  const assignments: Assignments = { assigned: (_group, partitions) => assigned.push(partitions) };
  const onBatch: BatchHandler = async (batch) => {
    const outcome = await handler?.(batch);
    batches.push(batch);
    return { accepted: batch.records.length, deadLetters: 0, ...outcome };
  };
  const ended = source.run(onBatch, controller.signal, assignments);
  // Looked at by the test that cares; no other is to fail for it.
  ended.catch(() => undefined);
  return {
    batches,
    assigned,
    texts,
    reached: (count) =>
      expect.poll(() => texts().length, { timeout: 30_000, interval: 25 }).toBeGreaterThanOrEqual(count),
    ended,
    async stop() {
      controller.abort();
      await ended;
    },
  };
}
