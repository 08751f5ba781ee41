import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import kafkajs from 'kafkajs';
import { HEAP, JAVA_HINT } from './kafka-broker-files.ts';
import { runToEnd, until } from './processes.ts';

/** What tests do with a running cluster, whoever started it. */
export interface KafkaOperations {
  createTopic(topic: string, partitions?: number): Promise<void>;
  /** Gives a topic more partitions. */
  growTopic(topic: string, partitions: number): Promise<void>;
  /** Produces values, the fast way. */
  produce(topic: string, values: readonly (string | null)[], key?: string): Promise<void>;
  /** Produces lines with the Java client, in compressed batches. */
  produceWithJava(topic: string, lines: readonly string[], codec: string): Promise<void>;
  /** Values and headers of a topic from its beginning until `count` have come. */
  read(topic: string, count: number): Promise<{ value: string; headers: Record<string, string> }[]>;
  /** Offset that the group has committed, or -1. */
  committed(group: string, topic: string, partition?: number): Promise<number>;
}

/** A client without a log. */
export function quietClient(brokers: string[]): kafkajs.Kafka {
  return new kafkajs.Kafka({
    brokers,
    clientId: 'token-recall-test',
    logLevel: kafkajs.logLevel.NOTHING,
    connectionTimeout: 5_000,
  });
}

/** The operations on the cluster at `brokers`; `libs` gives the folder of the jars for the Java client. */
export function operations(
  brokers: string[],
  libs: () => Promise<string>,
): KafkaOperations & { brokers: string[] } {
  const client = quietClient(brokers);

  async function withAdmin<T>(work: (admin: kafkajs.Admin) => Promise<T>): Promise<T> {
    const admin = client.admin();
    await admin.connect();
    try {
      return await work(admin);
    } finally {
      await admin.disconnect();
    }
  }

  return {
    brokers,
    createTopic: (topic, partitions = 1) =>
      withAdmin(async (admin) => {
        await admin.createTopics({
          waitForLeaders: false,
          topics: [{ topic, numPartitions: partitions, replicationFactor: 1 }],
        });
        // A broker that is busy does not know of it at once, nor have its partitions a leader.
        await until(
          async () => {
            const [found] = (await admin.fetchTopicMetadata({ topics: [topic] })).topics;
            return found?.partitions.length === partitions;
          },
          20_000,
          () => Promise.resolve(`topic ${topic} does not come to be`),
        );
      }),
    growTopic: (topic, partitions) =>
      withAdmin(async (admin) => {
        await admin.createPartitions({ topicPartitions: [{ topic, count: partitions }] });
      }),
    async produce(topic, values, key) {
      const producer = client.producer({
        createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
        allowAutoTopicCreation: false,
      });
      await producer.connect();
      try {
        for (let at = 0; at < values.length; at += 2_000) {
          const messages = values.slice(at, at + 2_000).map((value) => ({ value, key: key ?? null }));
          await producer.send({ topic, messages });
        }
      } finally {
        await producer.disconnect();
      }
    },
    async produceWithJava(topic, lines, codec) {
      const args = ['--bootstrap-server', brokers.join(','), '--topic', topic, '--compression-codec', codec];
      await runToEnd(
        'java',
        [...HEAP, '-cp', join(await libs(), '*'), 'org.apache.kafka.tools.ConsoleProducer', ...args],
        JAVA_HINT,
        lines.map((line) => `${line}\n`).join(''),
      );
    },
    async read(topic, count) {
      const consumer = client.consumer({
        groupId: `reader-${randomBytes(6).toString('hex')}`,
        maxWaitTimeInMs: 200,
      });
      const found: { value: string; headers: Record<string, string> }[] = [];
      await consumer.connect();
      try {
        await consumer.subscribe({ topics: [topic], fromBeginning: true });
        await consumer.run({
          eachMessage: ({ message }) => {
            const headers = Object.entries(message.headers ?? {}).map(([name, value]) => [
              name,
              String(value),
            ]);
            found.push({
              value: message.value?.toString() ?? '',
              headers: Object.fromEntries(headers) as Record<string, string>,
            });
            return Promise.resolve();
          },
        });
        await until(
          () => Promise.resolve(found.length >= count),
          30_000,
          () => Promise.resolve(`${found.length} of ${count} records of ${topic} came`),
        );
      } finally {
        await consumer.disconnect();
      }
      return found;
    },
    committed: (group, topic, partition = 0) =>
      withAdmin(async (admin) => {
        const [offsets] = await admin.fetchOffsets({ groupId: group, topics: [topic] });
        return Number(offsets?.partitions.find((one) => one.partition === partition)?.offset ?? -1);
      }),
  };
}
