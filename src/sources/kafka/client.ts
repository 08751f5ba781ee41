import { once } from 'node:events';
import kafkajs from 'kafkajs';
import type { KafkaConnection } from '../../../schemas/config-sources.ts';
import { messageOf, RecallError, type RecallErrorCode } from '../../errors.ts';
import type { Logger } from '../../telemetry/log.ts';
import { lz4, snappy, zstd } from './codecs.ts';
import { dealTopics, readNumbers, writeNumbers } from './numbers.ts';
import type { KafkaBatch, KafkaClient, KafkaProducer } from './port.ts';

/*
 * The only file that knows kafkajs, which has had no release since 2023: everything else sees the types of
 * port.ts, so that another client can take its place.
 */

const { AssignerProtocol, CompressionCodecs, CompressionTypes, PartitionAssigners } = kafkajs;
// gzip is built in; the registry is global to kafkajs.
Object.assign(CompressionCodecs, {
  [CompressionTypes.Snappy]: () => snappy,
  [CompressionTypes.LZ4]: () => lz4,
  [CompressionTypes.ZSTD]: () => zstd,
});

const CONNECT_TIMEOUT = 5_000;
/** How long a fetch waits for records, ms; also how long stopping may take. */
const FETCH_WAIT = 500;
const PARTITIONS_AT_ONCE = 8;
/** After how long without a heartbeat the partitions of a dead worker go to another, ms. */
const SESSION_TIMEOUT = 15_000;

function rootCause(error: unknown): unknown {
  return error instanceof Error && error.cause instanceof Error ? rootCause(error.cause) : error;
}

/** A failure of kafkajs as ours: what was tried, at which brokers, and what they said. Never a password. */
function unavailable(error: unknown, connection: KafkaConnection, code: RecallErrorCode): RecallError {
  const cause = rootCause(error);
  const brokers = connection.brokers.join(', ');
  const options = { cause };
  if (cause instanceof kafkajs.KafkaJSSASLAuthenticationError) {
    const who =
      connection.sasl === undefined ? '' : ` ${connection.sasl.username} (${connection.sasl.mechanism})`;
    return new RecallError(code, `Kafka at ${brokers} refused the user${who}: ${cause.message}`, options);
  }
  const reached = !(cause instanceof kafkajs.KafkaJSConnectionError);
  return new RecallError(
    code,
    `${reached ? 'Kafka at' : 'cannot reach Kafka at'} ${brokers}: ${messageOf(cause)}`,
    options,
  );
}

/** Parts of kafkajs whose failures reach the caller as thrown errors anyway. */
const LOUD = new Set(['Connection', 'Broker', 'BrokerPool', 'Cluster']);
/** Fields of its log entries that are passed on; the rest may hold anything. */
const LOGGED = ['broker', 'groupId', 'memberId', 'topic', 'partition', 'retryCount', 'retryTime'];

function security({ tls, sasl }: KafkaConnection): Pick<kafkajs.KafkaConfig, 'ssl' | 'sasl'> {
  const certificates = Object.entries({
    ca: tls?.ca,
    cert: tls?.cert,
    key: tls?.key?.reveal(),
    servername: tls?.server_name,
  }).filter(([, value]) => value !== undefined);
  const ssl = tls === undefined ? false : Object.fromEntries(certificates);
  if (sasl === undefined) return { ssl };
  const credentials = { username: sasl.username, password: sasl.password.reveal() };
  switch (sasl.mechanism) {
    case 'plain':
      return { ssl, sasl: { mechanism: 'plain', ...credentials } };
    case 'scram-sha-256':
      return { ssl, sasl: { mechanism: 'scram-sha-256', ...credentials } };
    case 'scram-sha-512':
      return { ssl, sasl: { mechanism: 'scram-sha-512', ...credentials } };
  }
}

function createClient(connection: KafkaConnection, log: Logger): kafkajs.Kafka {
  return new kafkajs.Kafka({
    clientId: connection.client_id,
    brokers: connection.brokers,
    connectionTimeout: CONNECT_TIMEOUT,
    // Few retries inside: the source and the sinks have their own, which health can tell of.
    retry: { retries: 2, initialRetryTime: 300 },
    ...security(connection),
    logLevel: log.isLevelEnabled('debug') ? kafkajs.logLevel.DEBUG : kafkajs.logLevel.ERROR,
    logCreator: () => (entry) => {
      const fields = Object.fromEntries(
        LOGGED.filter((name) => name in entry.log).map((name) => [name, String(entry.log[name])]),
      );
      const level = entry.level === kafkajs.logLevel.ERROR && !LOUD.has(entry.namespace) ? 'warn' : 'debug';
      log[level](fields, `kafkajs: ${entry.log.message}`);
    },
  });
}

function adapted(payload: kafkajs.EachBatchPayload): KafkaBatch {
  const { topic, partition, messages } = payload.batch;
  return {
    topic,
    partition,
    records: messages,
    isCurrent: () => payload.isRunning() && !payload.isStale(),
    heartbeat: () => payload.heartbeat(),
    async commit(offset) {
      // First where to read on in this session, so that a failed commit does not bring durable records again.
      payload.resolveOffset(offset);
      const next = (BigInt(offset) + 1n).toString();
      await payload.commitOffsetsIfNecessary({
        topics: [{ topic, partitions: [{ partition, offset: next }] }],
      });
    },
  };
}

/**
 * Deals out partition numbers: number n of every topic goes to the same member. Each member tells the leader by its
 * metadata which numbers it held, so that few of them move. The name is the group's protocol: a member that deals
 * otherwise cannot be in the group at the same time.
 */
function byNumber(held: () => readonly number[]): kafkajs.PartitionAssigner {
  const version = 1;
  const name = 'token-recall-by-number';
  return ({ cluster, groupId }) => ({
    name,
    version,
    protocol: ({ topics }) => ({
      name,
      metadata: AssignerProtocol.MemberMetadata.encode({
        version,
        topics,
        userData: writeNumbers(held()),
      }),
    }),
    assign({ members, topics }) {
      const counts = topics.map(
        (topic) => [topic, cluster.findTopicPartitionMetadata(topic).length] as const,
      );
      const known = members.map(({ memberId, memberMetadata }) => {
        const said = AssignerProtocol.MemberMetadata.decode(memberMetadata);
        return { id: memberId, topics: said?.topics ?? [], held: readNumbers(said?.userData) };
      });
      const encode = (assignment: kafkajs.Assignment) =>
        AssignerProtocol.MemberAssignment.encode({ version, assignment, userData: Buffer.alloc(0) });
      const dealt = dealTopics(groupId, known, new Map(counts));
      return Promise.resolve(
        [...dealt].map(([memberId, share]) => ({ memberId, memberAssignment: encode(share) })),
      );
    },
  });
}

/** A client for reading from the cluster. Connects only when asked something. */
export function createKafka(connection: KafkaConnection, log: Logger): KafkaClient {
  const client = createClient(connection, log);
  /** Outlives a membership, so that a member that comes back takes up what it had. */
  let held: readonly number[] = [];
  return {
    async topics() {
      const admin = client.admin();
      try {
        await admin.connect();
        const { topics } = await admin.fetchTopicMetadata();
        return new Map(topics.map(({ name, partitions }) => [name, partitions.length]));
      } catch (error) {
        throw unavailable(error, connection, 'ERR_SOURCE_UNAVAILABLE');
      } finally {
        await admin.disconnect();
      }
    },

    async consume({ topics, groupId, copartitioned, onBatch, onAssigned, onHeartbeat }, signal) {
      const consumer = client.consumer({
        groupId,
        sessionTimeout: SESSION_TIMEOUT,
        maxWaitTimeInMs: FETCH_WAIT,
        allowAutoTopicCreation: false,
        partitionAssigners: [copartitioned ? byNumber(() => held) : PartitionAssigners.roundRobin],
        // A group's coordinator may take seconds to load: more patience than for a connection.
        retry: { retries: 6, restartOnFailure: () => Promise.resolve(false) },
      });
      // Aborts with the reason why the consumption is over: asked to, crashed, or refused by `onBatch`.
      const ended = new AbortController();
      const stop = () => ended.abort();
      signal.addEventListener('abort', stop, { once: true });
      const { CRASH, GROUP_JOIN, HEARTBEAT } = consumer.events;
      consumer.on(CRASH, ({ payload }) => {
        ended.abort(unavailable(payload.error, connection, 'ERR_SOURCE_UNAVAILABLE'));
      });
      consumer.on(GROUP_JOIN, ({ payload: { memberAssignment } }) => {
        held = [...new Set(Object.values(memberAssignment).flat())];
        onAssigned(memberAssignment);
      });
      consumer.on(HEARTBEAT, onHeartbeat);
      try {
        try {
          await consumer.connect();
          for (const { topic, fromBeginning } of topics) {
            await consumer.subscribe({ topics: [topic], fromBeginning });
          }
          await consumer.run({
            autoCommit: false,
            eachBatchAutoResolve: false,
            partitionsConsumedConcurrently: PARTITIONS_AT_ONCE,
            eachBatch: async (payload) => {
              try {
                await onBatch(adapted(payload));
              } catch (error) {
                // Those of kafkajs (a rebalance) it handles itself; any other ends the consumption as it is.
                if (!(error instanceof kafkajs.KafkaJSError)) ended.abort(error);
                throw error;
              }
            },
          });
        } catch (error) {
          throw unavailable(error, connection, 'ERR_SOURCE_UNAVAILABLE');
        }
        if (!signal.aborted && !ended.signal.aborted) await once(ended.signal, 'abort');
        if (!signal.aborted) throw ended.signal.reason;
      } finally {
        signal.removeEventListener('abort', stop);
        await consumer.disconnect().catch((error: unknown) => log.debug(`kafka: ${messageOf(error)}`));
      }
    },
  };
}

/** Protocol errors (kafkajs `type`) after which the same messages would be refused again. */
const REFUSED = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_RECORD',
  'INVALID_TIMESTAMP',
]);

/** A producer for the alert sink and for dead letters. Connects with the first message; creates no topics. */
export function createProducer(connection: KafkaConnection, log: Logger): KafkaProducer {
  const producer = createClient(connection, log).producer({
    allowAutoTopicCreation: false,
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    retry: { retries: 3 },
  });
  let connected: Promise<void> | null = null;

  async function connect(): Promise<void> {
    connected ??= producer.connect();
    try {
      await connected;
    } catch (error) {
      connected = null;
      throw error;
    }
  }

  return {
    async send(topic, messages) {
      try {
        await connect();
        await producer.send({
          topic,
          messages: messages.map(({ key, value, headers }) => ({
            key: key instanceof Uint8Array ? Buffer.from(key) : (key ?? null),
            value: value instanceof Uint8Array ? Buffer.from(value) : value,
            ...(headers && { headers }),
          })),
        });
      } catch (error) {
        const cause = rootCause(error);
        const refused = cause instanceof kafkajs.KafkaJSProtocolError && REFUSED.has(cause.type);
        const code = refused ? 'ERR_SINK_REFUSED' : 'ERR_SINK_UNAVAILABLE';
        const { message } = unavailable(error, connection, code);
        throw new RecallError(code, `topic ${topic}: ${message}`, { cause });
      }
    },
    async close() {
      if (connected !== null) await producer.disconnect();
    },
  };
}
