import type { Custody } from '../response/custody.ts';
import type { BatchHandler } from '../sources/port.ts';
import type { Store } from '../store/port.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Decoding } from './decoding.ts';
import type { Repartitioner } from './repartition.ts';

const TOO_LARGE = 'the repartition topic does not take a record of this size: raise its max.message.bytes';

export interface ForwarderOptions {
  decoding: Decoding;
  store: Pick<Store, 'write'>;
  custody: Pick<Custody, 'forget'>;
  repartitioner: Pick<Repartitioner, 'send'>;
  metrics: Metrics;
  /** Runs a write until it is taken; rejects where it never will be, or where the worker stops. */
  untilTaken: <T>(what: string, write: () => Promise<T>) => Promise<T>;
}

/**
 * The road of a batch whose events are to be brought to the worker that has their subject: decode, seal, store what is
 * no event, and send the others to the repartition topic, from which they take the road of every event. The batch is
 * acknowledged when all of that is durable; a crash before sends some events twice, which their reader skips.
 */
export function createForwarder(options: ForwarderOptions): BatchHandler {
  const { decoding, store, custody, repartitioner, metrics, untilTaken } = options;
  return async function forward(batch) {
    metrics.received.inc({ source: batch.source }, batch.records.length);
    const now = Date.now();
    const { events, custody: sealed, deadLetters } = decoding.decode(batch, batch.records, now);
    try {
      await untilTaken(`storing tokens and dead letters of ${batch.source}`, () =>
        store.write({ custody: sealed, dead_letters: deadLetters }),
      );
      const tooLarge = await untilTaken(`forwarding events of ${batch.source}`, () =>
        repartitioner.send(events),
      );
      if (tooLarge.length > 0) {
        const positions = new Set(tooLarge.map(({ arrival }) => arrival.position));
        const letters = batch.records
          .filter(({ position }) => positions.has(position))
          .map((record) => decoding.deadLetter(batch, record, 'ERR_DECODE_TOO_LARGE', TOO_LARGE, now));
        deadLetters.push(...letters);
        await untilTaken(`storing dead letters of ${batch.source}`, () =>
          store.write({ dead_letters: letters }),
        );
      }
    } catch (error) {
      custody.forget(sealed);
      throw error;
    }
    for (const { code } of deadLetters) metrics.deadLetters.inc({ code });
    return { accepted: events.length, deadLetters: deadLetters.length, letters: deadLetters };
  };
}
