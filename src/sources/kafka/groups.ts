import type { KafkaConnection, KafkaSourceConfig } from '../../../schemas/config-sources.ts';
import { RecallError } from '../../errors.ts';
import type { Stream } from '../port.ts';

/** A topic of a group, with what its records are. */
export interface GroupTopic {
  readonly topic: string;
  readonly stream: Stream;
  readonly format: string;
  readonly fromBeginning: boolean;
  /** Topic for its dead letters; undefined: the topic with `.dlq` behind it, if that exists. */
  readonly letters?: string | undefined;
}

/** Topics that are read together, as one member of one consumer group. */
export interface KafkaGroup {
  readonly connection: KafkaConnection;
  readonly groupId: string;
  readonly topics: readonly GroupTopic[];
  /** Whether partition n of all its topics is state partition `<group>/<n>`. */
  readonly partitioned: boolean;
  /** What to do about a missing topic, in words. */
  readonly howToCreate: string;
}

/** Consumer group of the sources that are keyed. */
const KEYED_GROUP = 'token-recall';

/** The cluster that brokers lead to, as far as a configuration tells. */
export function clusterOf({ brokers }: Pick<KafkaConnection, 'brokers'>): string {
  return [...brokers].sort().join(',');
}

/** The group of a source alone. Its topics are part of the default name: one group's members read the same topics. */
function defaultGroup({ topics }: KafkaSourceConfig): string {
  return ['token-recall', ...[...topics].sort()].join('.');
}

/** All that a connection is made with, besides the brokers; holds secrets, so only ever compared. */
function wayIn({ client_id, tls, sasl }: KafkaConnection): string {
  const revealed = { key: tls?.key?.reveal(), password: sasl?.password.reveal() };
  return JSON.stringify([client_id, tls, sasl, revealed]);
}

const invalid = (problem: string) => new RecallError('ERR_CONFIG_INVALID', problem);

/** Sources that one consumer group reads. */
type Together = readonly [KafkaSourceConfig, ...KafkaSourceConfig[]];

/** The one value that sources read together agree on. */
function agreed<T>([first, ...others]: Together, what: string, of: (one: KafkaSourceConfig) => T): T {
  const other = others.find((one) => of(one) !== of(first));
  if (other === undefined) return of(first);
  const names = [first, other].map(({ topics }) => `kafka:${topics.join(',')}`);
  throw invalid(
    `sources ${names.join(' and ')} are keyed topics of one cluster, which one consumer group reads, but differ in ${what}: make it the same`,
  );
}

function groupOf(sources: Together, groupId: string, partitioned: boolean): KafkaGroup {
  const topics = sources.flatMap((source) =>
    source.topics.map((topic) => ({
      topic,
      stream: source.stream,
      format: source.format,
      fromBeginning: source.from_beginning,
      letters: source.dead_letter_topic,
    })),
  );
  const howToCreate = 'create it, no topic is created automatically';
  return { connection: sources[0], groupId, topics, partitioned, howToCreate };
}

/** The group of the keyed sources on one cluster; those that do not say its name leave that to the others. */
function keyedGroup(sources: Together, partitioned: boolean): KafkaGroup {
  agreed(sources, 'how they connect (client_id, tls, sasl)', wayIn);
  const said = sources.find(({ group_id }) => group_id !== undefined)?.group_id;
  const groupId = agreed(sources, 'group_id', ({ group_id }) => group_id ?? said);
  return groupOf(sources, groupId ?? KEYED_GROUP, partitioned);
}

/** Keyed sources by the cluster they are on. */
function byCluster(sources: readonly KafkaSourceConfig[]): Together[] {
  const clusters = new Map<string, Together>();
  for (const source of sources) {
    const cluster = clusterOf(source);
    const found = clusters.get(cluster);
    clusters.set(cluster, found === undefined ? [source] : [...found, source]);
  }
  return [...clusters.values()];
}

/**
 * How Kafka sources are read: those of one cluster that are keyed as one group, so that partition n of every topic
 * comes to the same worker; each that is not keyed as a group of its own.
 *
 * @param repartitioned whether events reach detection through the repartition topic; a partition of a source is then no
 *   state partition
 * @throws RecallError ERR_CONFIG_INVALID where sources of one group disagree on it, two groups of a cluster have one
 *   name, or a topic is read twice
 */
export function kafkaGroups(sources: readonly KafkaSourceConfig[], repartitioned: boolean): KafkaGroup[] {
  const keyed = sources.filter(({ keyed_by }) => keyed_by !== 'none');
  const alone = sources.filter(({ keyed_by }) => keyed_by === 'none');
  const groups = [
    ...byCluster(keyed).map((together) => keyedGroup(together, !repartitioned)),
    ...alone.map((source) => groupOf([source], source.group_id ?? defaultGroup(source), false)),
  ];
  // Records are named, and redeliveries told, by topic and offset, without the cluster.
  const topics = groups.flatMap((group) => group.topics.map(({ topic }) => topic));
  const twice = topics.find((topic, index) => topics.indexOf(topic) !== index);
  if (twice !== undefined) throw invalid(`Kafka topic ${twice} is read by two sources: keep one of them`);
  const names = groups.map(({ connection, groupId }) => `${groupId} at ${clusterOf(connection)}`);
  const shared = names.find((name, index) => names.indexOf(name) !== index);
  if (shared !== undefined) {
    throw invalid(
      `consumer group ${shared} is that of two sources with different topics, of which some would go unread: give one another \`group_id\``,
    );
  }
  return groups;
}
