import { setTimeout as sleep } from 'node:timers/promises';

/** Waits `ms` milliseconds, or until `signal` aborts, whichever is first. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    if (signal?.aborted !== true) throw error;
  }
}
