import type { KafkaBatch } from './port.ts';

/** How often the group is told that this member lives; the client thins it out to its heartbeat interval. */
const TICK = 1_000;

/**
 * Runs `work` on a batch while keeping the membership alive. Durability may take longer than a session.
 *
 * Where the group rebalances meanwhile, the signal given to `work` aborts, so that it begins nothing new, but
 * what it is at is waited for and may still be committed: the coordinator takes commits of the old generation
 * until the members have rejoined. After that the error of the heartbeat is thrown, and the client rejoins.
 *
 * @throws errors of `work`, and of the heartbeat
 */
export async function keepAlive(
  batch: KafkaBatch,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const onAbort = () => stop.abort();
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) stop.abort();
  const lost: Error[] = [];
  const timer = setInterval(() => {
    batch.heartbeat().catch((error: unknown) => {
      lost.push(error instanceof Error ? error : new Error(String(error)));
      stop.abort();
    });
  }, TICK);
  try {
    await work(stop.signal);
    const [error] = lost;
    if (error !== undefined) throw error;
  } finally {
    clearInterval(timer);
    signal.removeEventListener('abort', onAbort);
  }
}
