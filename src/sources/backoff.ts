import { setTimeout as delay } from 'node:timers/promises';

const INITIAL = 200;
const CEILING = 30_000;

/** Growing waits between attempts at something that fails. */
export interface Backoff {
  /**
   * Waits before the next attempt: exponentially longer each time up to 30 s, half of it random, so that many
   * clients of one recovering server do not come back at once.
   *
   * @param atLeast what the other side asked for, ms
   * @returns false where `signal` aborted the wait
   */
  wait(signal: AbortSignal, atLeast?: number): Promise<boolean>;
  /** Begins anew after a success. */
  reset(): void;
}

/** @param initial first wait, ms; tests shorten it */
export function createBackoff(initial = INITIAL): Backoff {
  let next = initial;
  return {
    async wait(signal, atLeast = 0) {
      const span = Math.max(next / 2 + Math.random() * (next / 2), atLeast);
      next = Math.min(next * 2, CEILING);
      try {
        await delay(span, undefined, { signal });
        return true;
      } catch {
        return false;
      }
    },
    reset() {
      next = initial;
    },
  };
}
