import { isRecallError, RecallError } from '../../errors.ts';
import { createHealth } from '../health.ts';
import type { Source } from '../port.ts';
import type { SourceDependencies } from '../stdin.ts';
import { waitToRetry } from '../wait.ts';
import { createKafka, createProducer } from './client.ts';
import type { GroupTopic, KafkaGroup } from './groups.ts';
import { commonCount } from './numbers.ts';
import type { PartitionsByTopic } from './port.ts';
import { take } from './take.ts';

/** Heartbeats come every three seconds; without one for this long, ms, the cluster is not reached. */
const SILENCE = 10_000;
/** So often in a row a member may find its partitions taken before that counts as a failure. */
const TAKEN_IN_A_ROW = 3;

/**
 * Kafka topics that one consumer group reads, one record a value. Offsets are committed only after the handler
 * resolved, so records come again after a crash; their positions and offsets name them for good.
 *
 * Where the cluster or a topic is not there, `run` keeps trying and health says why. Where the handler says that
 * another worker has a partition (ERR_STATE_FENCED), the membership ends and the group is joined anew. Dead letters
 * go to the topic configured for them, or to `<topic>.dlq` if that exists, before the offset is committed.
 *
 * `run` throws RecallError ERR_PARTITIONING where topics of a partitioned group differ in partitions.
 */
export function createKafkaSource(group: KafkaGroup, { log, maxLine }: SourceDependencies): Source {
  const { connection, groupId } = group;
  const name = `kafka:${group.topics.map(({ topic }) => topic).join(',')}`;
  const brokers = connection.brokers.join(', ');
  const client = createKafka(connection, log);
  const producer = createProducer(connection, log);
  const health = createHealth(`${name}: not started`);
  /** When the group last answered; null while there is no membership. */
  let lastHeartbeat: number | null = null;

  /**
   * Looks whether the topics are there and partitioned alike.
   *
   * @returns the topics by name, with the topic for dead letters where there is one
   * @throws RecallError ERR_SOURCE_UNAVAILABLE naming the missing topics, ERR_PARTITIONING naming the unlike ones
   */
  async function findTopics(): Promise<ReadonlyMap<string, GroupTopic>> {
    const partitions = await client.topics();
    const needed = group.topics.flatMap(({ topic, letters }) => [
      topic,
      ...(letters === undefined ? [] : [letters]),
    ]);
    const missing = [...new Set(needed)].filter((topic) => !partitions.has(topic));
    if (missing.length > 0) {
      throw new RecallError(
        'ERR_SOURCE_UNAVAILABLE',
        `Kafka at ${brokers} has no topic ${missing.join(', ')}, or the user may not see it; ${group.howToCreate}`,
      );
    }
    if (group.partitioned) {
      commonCount(groupId, new Map(group.topics.map(({ topic }) => [topic, partitions.get(topic) ?? 0])));
    }
    return new Map(
      group.topics.map((one) => {
        const letters = one.letters ?? `${one.topic}.dlq`;
        return [one.topic, { ...one, letters: partitions.has(letters) ? letters : undefined }];
      }),
    );
  }

  const statePartition = (number: number) => (group.partitioned ? `${groupId}/${number}` : undefined);

  function statePartitions(assigned: PartitionsByTopic): string[] {
    const numbers = [...new Set(Object.values(assigned).flat())].sort((a, b) => a - b);
    return numbers.map(statePartition).filter((id) => id !== undefined);
  }

  return {
    name,
    async run(onBatch, outer, assignments) {
      // Every batch under way listens for the end: to a signal of its own, or the worker's would seem to leak.
      const signal = AbortSignal.any([outer]);
      let failures = 0;
      let told = '';

      async function membership(): Promise<void> {
        const topics = await findTopics();
        try {
          await client.consume(
            {
              groupId,
              topics: group.topics,
              copartitioned: group.partitioned,
              async onBatch(fetched) {
                const topic = topics.get(fetched.topic);
                if (topic === undefined) throw new TypeError(`topic ${fetched.topic} was not asked for`);
                const { stream, format, letters } = topic;
                const partition = statePartition(fetched.partition);
                await take(fetched, {
                  ...{ onBatch, producer, stream, format, letters, partition, maxLine },
                  ...{ log, health, signal },
                });
              },
              onHeartbeat() {
                lastHeartbeat = Date.now();
                failures = 0;
              },
              onAssigned(partitions) {
                lastHeartbeat = Date.now();
                health.ok(`${name}: ${Object.values(partitions).flat().length} partitions assigned`);
                told = '';
                if (group.partitioned) assignments?.assigned(groupId, statePartitions(partitions));
              },
            },
            signal,
          );
        } finally {
          lastHeartbeat = null;
          if (group.partitioned) assignments?.assigned(groupId, []);
        }
      }

      try {
        while (!signal.aborted) {
          try {
            await membership();
          } catch (error) {
            const taken = isRecallError(error, 'ERR_STATE_FENCED');
            if (!taken && !isRecallError(error, 'ERR_SOURCE_UNAVAILABLE')) throw error;
            failures += 1;
            if (taken && failures < TAKEN_IN_A_ROW) {
              health.ok(`${name}: joins its group again: ${error.message}`);
            } else health.failing(error.message);
            if (error.message !== told) log.warn({ source: name, code: error.code }, error.message);
            told = error.message;
            await waitToRetry(failures, signal);
          }
        }
      } finally {
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
