import { isRecallError, messageOf } from '../../errors.ts';
import { batchesOf } from '../batches.ts';
import { handOver, type HandOverContext } from '../hand-over.ts';
import { refusedRecord, REFUSED_HEAD } from '../lines.ts';
import type { BatchHandler, BatchOutcome, SourceRecord, Stream } from '../port.ts';
import { waitToRetry } from '../wait.ts';
import { deadLetterMessage } from './dead-letters.ts';
import { keepAlive } from './keep-alive.ts';
import type { KafkaBatch, KafkaProducer, KafkaRecord } from './port.ts';
import { sendable } from './sendable.ts';

const EMPTY = new Uint8Array();

/** What taking a fetched batch needs besides it. */
export interface Taking extends HandOverContext {
  readonly onBatch: BatchHandler;
  readonly producer: KafkaProducer;
  readonly stream: Stream;
  readonly format: string;
  /** Topic for dead letters, where there is one. */
  readonly letters: string | undefined;
  /** State partition of the records, where the source partitions. */
  readonly partition: string | undefined;
  /** Largest record, bytes. */
  readonly maxLine: number;
}

function sourceRecord(origin: string, record: KafkaRecord, maxLine: number): SourceRecord {
  const position = `${origin}/${record.offset}`;
  // A tombstone is no event: decoding an empty record says so.
  const bytes = record.value ?? EMPTY;
  const taken =
    bytes.byteLength <= maxLine
      ? { bytes, position }
      : refusedRecord(bytes.subarray(0, REFUSED_HEAD), bytes.byteLength, maxLine, position);
  return { ...taken, offset: Number(record.offset) };
}

/** Publishes the dead letters of a batch; waits for a producer that is away. False where `signal` aborted. */
async function publish(
  { letters: deadLetters = [] }: BatchOutcome,
  fetched: KafkaBatch,
  { letters: topic, producer, health, log, signal }: Taking,
): Promise<boolean> {
  if (topic === undefined || deadLetters.length === 0) return true;
  const originals = new Map(
    fetched.records.map((record) => [`${fetched.topic}/${fetched.partition}/${record.offset}`, record]),
  );
  const messages = deadLetters.map((letter) => deadLetterMessage(letter, originals.get(letter.position)));
  for (const part of sendable(messages)) {
    for (let failures = 1; ; failures += 1) {
      try {
        await producer.send(topic, part);
        if (failures > 1) health.recovered();
        break;
      } catch (error) {
        if (!isRecallError(error, 'ERR_SINK_UNAVAILABLE')) {
          // They are in ClickHouse already: not worth stopping for.
          log.warn({ topic }, `dead letters were not published: ${messageOf(error)}`);
          return true;
        }
        health.failing(`dead letters wait: ${error.message}`);
        if (!(await waitToRetry(failures, signal))) return false;
      }
    }
  }
  return true;
}

/**
 * Takes what was fetched of one partition, in parts: hands a part over, and when it is durable and its dead letters
 * are published, commits its offset. A part is not begun before the one before it is committed, so nothing is ever
 * committed over what was not taken; what is not committed is fetched again.
 *
 * @throws whatever `onBatch` threw that handing over again does not help, and errors of the client where the group
 *   rebalances or cannot be reached
 */
export async function take(fetched: KafkaBatch, taking: Taking): Promise<void> {
  const { topic, partition } = fetched;
  const origin = `${topic}/${partition}`;
  const head = {
    source: `kafka:${topic}`,
    stream: taking.stream,
    format: taking.format,
    origin,
    partition: taking.partition,
  };
  const records = fetched.records.map((record) => sourceRecord(origin, record, taking.maxLine));
  let taken = 0;
  for (const batch of batchesOf(head, records)) {
    taken += batch.records.length;
    const last = fetched.records[taken - 1];
    if (last === undefined || !fetched.isCurrent()) return;
    // Throws where the group already rebalances: the sooner all its members are done, the sooner they go on.
    await fetched.heartbeat();
    await keepAlive(fetched, taking.signal, async (signal) => {
      const outcome = await handOver(batch, taking.onBatch, { ...taking, signal });
      if (outcome === null || !(await publish(outcome, fetched, { ...taking, signal }))) return;
      await fetched.commit(last.offset);
    });
  }
}
