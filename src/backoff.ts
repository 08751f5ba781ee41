/** Exponential backoff between attempts, in milliseconds. */
export interface Backoff {
  readonly first: number;
  readonly longest: number;
}

/** Longest wait that a server may ask for: past it a stolen token has lived too long not to ask again. */
const LONGEST_ASKED = 900_000;

/** How much of what a server asks to wait by Retry-After is granted, in milliseconds. */
export const grantedWait = (retryAfter = 0): number => Math.min(retryAfter, LONGEST_ASKED);

/**
 * How long to wait after `failures` failed attempts: a random part of an exponentially growing bound
 * ("full jitter", Brooker 2015), and never less than the server asked for by Retry-After.
 *
 * @param failures 1 after the first failure
 * @param retryAfter in milliseconds
 * @returns milliseconds
 */
export function waitAfter(failures: number, backoff: Backoff, retryAfter?: number): number {
  const bound = Math.min(backoff.longest, backoff.first * 2 ** Math.min(failures - 1, 30));
  return grantedWait(retryAfter) + Math.random() * bound;
}
