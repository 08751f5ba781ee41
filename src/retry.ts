import { setTimeout as sleep } from 'node:timers/promises';
import { waitAfter, type Backoff } from './backoff.ts';
import { isRecallError, messageOf } from './errors.ts';
import type { Logger } from './telemetry/log.ts';

const BACKOFF: Backoff = { first: 100, longest: 10_000 };

export interface RetryOptions {
  /** What is tried, for the log. */
  what: string;
  log: Logger;
  signal: AbortSignal;
  /** Told of each failure that will be followed by another attempt. */
  onRetry?(error: unknown): void;
}

/**
 * Runs `attempt` until it succeeds, waiting with exponential backoff and full jitter between attempts.
 * Only errors whose disposition is `retry` are tried again; any other is thrown. Where `signal` aborts, also during
 * a wait, the last error is thrown: it says why the work is not done.
 */
export async function withRetry<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  for (let failures = 1; ; failures += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!isRecallError(error) || error.disposition !== 'retry' || options.signal.aborted) throw error;
      options.onRetry?.(error);
      const wait = waitAfter(failures, BACKOFF, error.retryAfter);
      options.log.warn(
        { code: error.code, wait_ms: Math.round(wait) },
        `${options.what}: ${messageOf(error)}`,
      );
      await sleep(wait, undefined, { signal: options.signal }).catch(() => {
        throw error;
      });
    }
  }
}
