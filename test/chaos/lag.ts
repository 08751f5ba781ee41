import type kafkajs from 'kafkajs';
import { quietClient } from '../support/kafka-operations.ts';
import type { Road } from './options.ts';
import type { Names } from './settings.ts';

export interface LagMeter {
  /**
   * Records not committed, by topic.
   *
   * @throws whatever the client says while the broker is away
   */
  lag(): Promise<Readonly<Record<string, number>>>;
  /** Records that a topic holds. */
  size(topic: string): Promise<number>;
  close(): Promise<void>;
}

/** Measures how far workers are behind. */
export async function openLagMeter(brokers: string[], names: Names, road: Road): Promise<LagMeter> {
  const admin = quietClient(brokers).admin({ retry: { retries: 2 } });
  const groups = [
    [names.accessGroup, names.access],
    [names.authorizationGroup, names.authorization],
    ...(road === 'repartition' ? [[names.detectGroup, names.repartition] as const] : []),
  ] as const;
  await admin.connect();
  return {
    async lag() {
      const lag: Record<string, number> = {};
      for (const [group, topic] of groups) lag[topic] = await lagOf(admin, group, topic);
      return lag;
    },
    async size(topic) {
      const ends = await admin.fetchTopicOffsets(topic);
      return ends.reduce((sum, { low, high }) => sum + Number(high) - Number(low), 0);
    },
    close: () => admin.disconnect(),
  };
}

/** Records of the topic that the group has not committed. */
async function lagOf(admin: kafkajs.Admin, groupId: string, topic: string): Promise<number> {
  const ends = await admin.fetchTopicOffsets(topic);
  const [committed] = await admin.fetchOffsets({ groupId, topics: [topic] });
  const offsets = new Map(committed?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
  return ends.reduce((sum, { partition, low, high }) => {
    const at = Math.max(offsets.get(partition) ?? -1, Number(low));
    return sum + Math.max(0, Number(high) - at);
  }, 0);
}

export const totalOf = (lag: Readonly<Record<string, number>>): number =>
  Object.values(lag).reduce((sum, one) => sum + one, 0);
