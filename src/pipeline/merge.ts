import type { BatchHandler, Source, SourceBatch } from '../sources/port.ts';

/**
 * Reads a source that ends as an iteration of its batches; the source waits while a batch is being looked at.
 * Leaving the loop early, or an abort of `signal`, ends the source.
 */
export async function* batchesOf(
  source: Source,
  signal: AbortSignal,
): AsyncGenerator<SourceBatch, void, undefined> {
  const leave = new AbortController();
  let offer: ((batch: SourceBatch | null) => void) | undefined;
  let taken: (() => void) | undefined;
  const next = () => new Promise<SourceBatch | null>((resolve) => (offer = resolve));
  let waiting = next();
  const hand: BatchHandler = (batch) => {
    offer?.(batch);
    return new Promise(
      (resolve) => (taken = () => resolve({ accepted: batch.records.length, deadLetters: 0 })),
    );
  };
  const run = source.run(hand, AbortSignal.any([signal, leave.signal])).finally(() => offer?.(null));
  // The failure, if any, is thrown by the await below; until then it must not count as unhandled.
  run.catch(() => undefined);
  try {
    for (;;) {
      const batch = await waiting;
      if (batch === null) break;
      yield batch;
      waiting = next();
      taken?.();
    }
    await run;
  } finally {
    leave.abort();
    taken?.();
  }
}

/**
 * Merges two streams of events, each roughly in time order, into one in time order.
 * Of equal times the first stream's come first: what was granted counts before its use.
 */
export async function* mergeByTime<A extends { time: number }, B extends { time: number }>(
  first: AsyncIterator<A, void>,
  second: AsyncIterator<B, void>,
): AsyncGenerator<A | B, void, undefined> {
  let a = await first.next();
  let b = await second.next();
  while (a.done !== true || b.done !== true) {
    if (b.done === true || (a.done !== true && a.value.time <= b.value.time)) {
      if (a.done === true) return;
      yield a.value;
      a = await first.next();
    } else {
      yield b.value;
      b = await second.next();
    }
  }
}
