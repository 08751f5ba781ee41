import type { KafkaSourceConfig } from '../../../schemas/config-sources.ts';
import { isRecallError, messageOf, RecallError } from '../../errors.ts';
import { createBackoff } from '../backoff.ts';
import { batchesOf } from '../batches.ts';
import { handOver } from '../hand-over.ts';
import { createHealth } from '../health.ts';
import { refusedRecord, REFUSED_HEAD } from '../lines.ts';
import type { BatchHandler, BatchOutcome, Source, SourceRecord } from '../port.ts';
import type { SourceDependencies } from '../stdin.ts';
import { createKafka, createProducer } from './client.ts';
import { deadLetterMessage, sendable } from './dead-letters.ts';
import { keepAlive } from './keep-alive.ts';
import type { KafkaBatch, KafkaRecord } from './port.ts';

const EMPTY = new Uint8Array();
/** Heartbeats come every three seconds; without one for this long, ms, the cluster is not reached. */
const SILENCE = 10_000;

function sourceRecord(batch: KafkaBatch, record: KafkaRecord, maxLine: number): SourceRecord {
  const position = `${batch.topic}/${batch.partition}/${record.offset}`;
  // A tombstone is no event: decoding an empty record says so.
  const bytes = record.value ?? EMPTY;
  return bytes.byteLength <= maxLine
    ? { bytes, position }
    : refusedRecord(bytes.subarray(0, REFUSED_HEAD), bytes.byteLength, maxLine, position);
}

/**
 * Kafka topics, one record a value. Offsets are committed only after the handler resolved, so records come again
 * after a crash; the position names each one for good.
 *
 * Where the cluster or a topic is not there, `run` keeps trying and health says why. Dead letters go to
 * `dead_letter_topic`, or to `<topic>.dlq` if that exists, before the offset is committed.
 */
export function createKafkaSource(config: KafkaSourceConfig, { log, maxLine }: SourceDependencies): Source {
  const name = `kafka:${config.topics.join(',')}`;
  const brokers = config.brokers.join(', ');
  const client = createKafka(config, log);
  const producer = createProducer(config, log);
  const health = createHealth(`${name}: not started`);
  /** When the group last answered; null while there is no membership. */
  let lastHeartbeat: number | null = null;

  /**
   * Looks whether the topics are there, and where dead letters go, by topic.
   *
   * @throws RecallError ERR_SOURCE_UNAVAILABLE naming the missing topics
   */
  async function deadLetterTopics(): Promise<ReadonlyMap<string, string>> {
    const existing = new Set(await client.topics());
    const needed = config.topics.concat(config.dead_letter_topic ?? []);
    const missing = needed.filter((topic) => !existing.has(topic));
    if (missing.length > 0) {
      throw new RecallError(
        'ERR_SOURCE_UNAVAILABLE',
        `Kafka at ${brokers} has no topic ${missing.join(', ')}, or the user may not see it; create it, no topic is created automatically`,
      );
    }
    const pairs = config.topics.map((topic) => [topic, config.dead_letter_topic ?? `${topic}.dlq`] as const);
    return new Map(pairs.filter(([, letters]) => existing.has(letters)));
  }

  /** Publishes the dead letters of a batch; waits for a producer that is away. False where `signal` aborted. */
  async function publish(
    { letters = [] }: BatchOutcome,
    batch: KafkaBatch,
    topic: string | undefined,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (topic === undefined || letters.length === 0) return true;
    const originals = new Map(
      batch.records.map((record) => [`${batch.topic}/${batch.partition}/${record.offset}`, record]),
    );
    const messages = letters.map((letter) => deadLetterMessage(letter, originals.get(letter.position)));
    const waiting = sendable(messages);
    const backoff = createBackoff();
    for (let part = waiting.shift(); part !== undefined;) {
      try {
        await producer.send(topic, part);
        part = waiting.shift();
        health.recovered();
      } catch (error) {
        if (!isRecallError(error, 'ERR_SINK_UNAVAILABLE')) {
          // They are in ClickHouse already: not worth stopping for.
          log.warn({ topic }, `dead letters were not published: ${messageOf(error)}`);
          return true;
        }
        health.failing(`dead letters wait: ${error.message}`);
        if (!(await backoff.wait(signal))) return false;
      }
    }
    return true;
  }

  async function take(
    fetched: KafkaBatch,
    onBatch: BatchHandler,
    letterTopics: ReadonlyMap<string, string>,
    signal: AbortSignal,
  ): Promise<void> {
    const { topic } = fetched;
    const head = { source: `kafka:${topic}`, stream: config.stream, format: config.format };
    const records = fetched.records.map((record) => sourceRecord(fetched, record, maxLine));
    let taken = 0;
    for (const batch of batchesOf(head, records)) {
      taken += batch.records.length;
      const last = fetched.records[taken - 1];
      if (last === undefined || !fetched.isCurrent()) return;
      const committed = await keepAlive(fetched, signal, async (inner) => {
        const outcome = await handOver(batch, onBatch, { log, health, signal: inner });
        if (outcome === null) return false;
        if (!(await publish(outcome, fetched, letterTopics.get(topic), inner))) return false;
        await fetched.commit(last.offset);
        return true;
      });
      // What follows must not be committed over what was not.
      if (!committed) return;
    }
  }

  return {
    name,
    async run(onBatch, signal) {
      const backoff = createBackoff();
      let told = '';
      try {
        while (!signal.aborted) {
          try {
            const letterTopics = await deadLetterTopics();
            await client.consume(
              {
                topics: config.topics,
                groupId: groupOf(config),
                fromBeginning: config.from_beginning,
                onBatch: (fetched) => take(fetched, onBatch, letterTopics, signal),
                onHeartbeat() {
                  lastHeartbeat = Date.now();
                },
                onAssigned(partitions) {
                  lastHeartbeat = Date.now();
                  health.ok(`${name}: ${partitions} partitions assigned`);
                  backoff.reset();
                  told = '';
                },
              },
              signal,
            );
          } catch (error) {
            if (!isRecallError(error, 'ERR_SOURCE_UNAVAILABLE')) throw error;
            lastHeartbeat = null;
            health.failing(error.message);
            if (error.message !== told) log.warn({ source: name }, error.message);
            told = error.message;
            await backoff.wait(signal);
          }
        }
      } finally {
        lastHeartbeat = null;
        await producer.close();
      }
    },
    health() {
      const silence = lastHeartbeat === null ? 0 : Date.now() - lastHeartbeat;
      if (silence < SILENCE) return health.current();
      return {
        ok: false,
        detail: `Kafka at ${brokers} has not answered for ${Math.round(silence / 1000)} s`,
      };
    },
  };
}

/**
 * The consumer group of a source. Members of one group must read the same topics: the leader deals out only those it
 * reads itself, so the topics of a second source in it would go unread.
 */
export function groupOf({ group_id, topics }: Pick<KafkaSourceConfig, 'group_id' | 'topics'>): string {
  return group_id ?? ['token-recall', ...[...topics].sort()].join('.');
}
