import type { Enricher } from '../enrich/enricher.ts';
import type { BatchHandler } from '../sources/port.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Custody } from '../response/custody.ts';
import type { Decoding } from './decoding.ts';
import type { DecodedBatch } from './partition.ts';
import { LOCAL, type Partitions } from './partitions.ts';
import { REPARTITIONED } from './repartition.ts';

export interface ProcessorOptions {
  /** Makes events of records. */
  decoding: Decoding;
  enricher: Pick<Enricher, 'enrich'>;
  partitions: Pick<Partitions, 'of'>;
  custody: Pick<Custody, 'forget'>;
  metrics: Metrics;
}

/**
 * The road of a batch: decode, enrich, and then, in its state partition, detect, decide, make durable, act.
 * The batch is acknowledged when everything it led to is durable.
 */
export function createProcessor({
  decoding,
  enricher,
  partitions,
  custody,
  metrics,
}: ProcessorOptions): BatchHandler {
  return async function processBatch(batch) {
    const now = Date.now();
    const { origin, source } = batch;
    const partition = await partitions.of(batch.partition ?? LOCAL);
    const records = batch.records.filter(
      ({ offset }) => origin === undefined || offset === undefined || !partition.isTaken(origin, offset),
    );
    metrics.received.inc({ source }, batch.records.length);
    metrics.skipped.inc({ kind: 'redelivered' }, batch.records.length - records.length);
    const decoded = decoding.decode(batch, records, now);
    for (const { code } of decoded.deadLetters) metrics.deadLetters.inc({ code });
    const taken: DecodedBatch = {
      origin,
      lastOffset: records.at(-1)?.offset,
      events: decoded.events.map(({ event, arrival, origin: first }) => ({
        event: event.kind === 'access' ? enricher.enrich(event) : event,
        arrival,
        forwarded: batch.format === REPARTITIONED ? first : undefined,
      })),
      custody: decoded.custody,
      // Detection may add to them; what a source hears of is what was no event.
      deadLetters: [...decoded.deadLetters],
    };
    try {
      await partition.take(taken);
    } catch (error) {
      // What was not stored must be sealed anew when the batch comes again.
      custody.forget(decoded.custody);
      throw error;
    }
    for (const { event } of taken.events) {
      if (event.kind === 'access') metrics.eventLag.observe((Date.now() - event.time) / 1000);
    }
    return {
      accepted: taken.events.length,
      deadLetters: decoded.deadLetters.length,
      letters: decoded.deadLetters,
    };
  };
}
