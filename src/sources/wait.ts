import { setTimeout as delay } from 'node:timers/promises';
import { waitAfter, type Backoff } from '../backoff.ts';

const BACKOFF: Backoff = { first: 200, longest: 30_000 };

/**
 * Waits before another attempt at something that fails.
 *
 * @param failures 1 after the first failure
 * @returns false where `signal` aborted the wait
 */
export async function waitToRetry(failures: number, signal: AbortSignal): Promise<boolean> {
  try {
    await delay(waitAfter(failures, BACKOFF), undefined, { signal });
    return true;
  } catch {
    return false;
  }
}
