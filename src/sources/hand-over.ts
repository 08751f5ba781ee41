import { isRecallError, messageOf } from '../errors.ts';
import type { Logger } from '../telemetry/log.ts';
import type { HealthState } from './health.ts';
import type { BatchHandler, BatchOutcome, SourceBatch } from './port.ts';
import { waitToRetry } from './wait.ts';

/** What handing over needs besides the batch. */
export interface HandOverContext {
  readonly log: Logger;
  readonly health: HealthState;
  readonly signal: AbortSignal;
}

/**
 * Hands a batch over until it is durable. A failure with disposition `retry` is tried again with backoff, without
 * end: the source reads nothing meanwhile, which is the back-pressure. Health tells of it.
 *
 * @returns the outcome, or null where `signal` aborted before there was one
 * @throws whatever `onBatch` threw that no retry helps
 */
export async function handOver(
  batch: SourceBatch,
  onBatch: BatchHandler,
  { log, health, signal }: HandOverContext,
): Promise<BatchOutcome | null> {
  for (let failures = 1; !signal.aborted; failures += 1) {
    try {
      const outcome = await onBatch(batch);
      if (failures > 1) health.recovered();
      return outcome;
    } catch (error) {
      if (!isRecallError(error) || error.disposition !== 'retry') throw error;
      health.failing(`a batch of ${batch.source} waits, attempt ${failures} failed: ${messageOf(error)}`);
      if (failures === 1) {
        log.warn(
          { source: batch.source, code: error.code },
          `batch will be handed over again: ${error.message}`,
        );
      }
      if (!(await waitToRetry(failures, signal))) break;
    }
  }
  return null;
}
