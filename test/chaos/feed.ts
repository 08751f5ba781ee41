import { setTimeout as delay } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import { quietClient } from '../support/kafka-operations.ts';
import type { StreamRecord } from './lines.ts';
import type { Road } from './options.ts';
import type { Names } from './settings.ts';

export const PARTITIONS = 6;

export interface FeedOptions {
  brokers: string[];
  names: Names;
  road: Road;
  records: readonly StreamRecord[];
  /** Records a second; as fast as it goes where absent. */
  rate?: number | undefined;
  /** Told the share that has been fed, after each portion. */
  onProgress?: (share: number) => void;
  /** Resolves when the next portion may be fed. */
  brake?: () => Promise<void>;
}

/** How many times a second a portion is fed. */
const TICKS = 10;
const FAST_PORTION = 1_000;
const RETRY_AFTER = 250;

/** Produces the records in order. While the broker is away it waits: records may then come twice, but never not. */
export async function feed(options: FeedOptions): Promise<void> {
  const { records, names, road, rate } = options;
  const client = quietClient(options.brokers);
  let producer = await connected(client);
  const portion = rate === undefined ? FAST_PORTION : Math.max(1, Math.round(rate / TICKS));
  let due = Date.now();
  // By turns, where nothing keys the topic: which partition a record is in follows from the seed alone.
  let turn = 0;
  const message = ({ key, line }: StreamRecord) =>
    road === 'keyed' ? { key, value: line } : { key: null, value: line, partition: turn++ % PARTITIONS };

  try {
    for (let at = 0; at < records.length; at += portion) {
      await options.brake?.();
      const part = records.slice(at, at + portion);
      const topicMessages = (['access', 'authorization'] as const)
        .map((stream) => ({
          topic: names[stream],
          messages: part.filter((record) => record.stream === stream).map(message),
        }))
        .filter(({ messages }) => messages.length > 0);
      for (let sent = false; !sent;) {
        try {
          await producer.sendBatch({ topicMessages });
          sent = true;
        } catch {
          await producer.disconnect().catch(() => undefined);
          await delay(RETRY_AFTER);
          producer = await connected(client);
        }
      }
      options.onProgress?.(Math.min(1, (at + portion) / records.length));
      if (rate === undefined) continue;
      // What the brake took is not made up for.
      due = Math.max(due, Date.now() - 1000 / TICKS) + 1000 / TICKS;
      if (due > Date.now()) await delay(due - Date.now());
    }
  } finally {
    await producer.disconnect().catch(() => undefined);
  }
}

/** A producer that is connected; waits for a broker that is away. */
async function connected(client: kafkajs.Kafka): Promise<kafkajs.Producer> {
  for (;;) {
    const producer = client.producer({
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
      allowAutoTopicCreation: false,
      retry: { retries: 2 },
    });
    try {
      await producer.connect();
      return producer;
    } catch {
      await delay(RETRY_AFTER);
    }
  }
}
