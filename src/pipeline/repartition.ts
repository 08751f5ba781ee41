import { z } from 'zod';
import type { AccessEvent } from '../../schemas/access-event.ts';
import { authorizationEventType, type AuthorizationEvent } from '../../schemas/authorization-event.ts';
import type { RepartitionConfig } from '../../schemas/config-sources.ts';
import { EARLIEST_TIME, LATEST_TIME } from '../../schemas/values.ts';
import { partitionKey } from '../detection/partition-key.ts';
import { isRecallError, RecallError } from '../errors.ts';
import { canonicalAddress } from '../formats/address.ts';
import { problems } from '../formats/problems.ts';
import { createProducer } from '../sources/kafka/client.ts';
import { sendable } from '../sources/kafka/sendable.ts';
import type { KafkaMessage } from '../sources/kafka/port.ts';
import { createKafkaSource } from '../sources/kafka/source.ts';
import type { Source } from '../sources/port.ts';
import type { SourceDependencies } from '../sources/stdin.ts';
import type { Arrival } from '../store/port.ts';
import type { Logger } from '../telemetry/log.ts';

/** Name of the format of batches from the repartition topic: {@link decodeRepartitioned} reads them. */
export const REPARTITIONED = 'repartitioned';

/** Version of the records. A reader of an older one does not guess. */
const VERSION = 1;

/** A decoded event on its way to the worker that has its subject. */
export interface RepartitionedEvent {
  /** As decoded, before enrichment, without the raw token. */
  readonly event: AccessEvent | AuthorizationEvent;
  /** Where it came in, and when. */
  readonly arrival: Omit<Arrival, 'late'>;
  /**
   * Where it stands in the Kafka partition it came from: `topic/partition` and offset. Of one such stream, events
   * come to a partition of the repartition topic by ascending offset, but after a crash or a failed send again from
   * some earlier one: a reader skips what is not above the highest offset it has seen of the stream.
   */
  readonly origin?: { readonly stream: string; readonly offset: number } | undefined;
}

const text = z.string().optional();
const texts = z.array(z.string()).optional();
const instant = z.number().int().min(EARLIEST_TIME).lt(LATEST_TIME);

/** What detection and policy rely on in every event. The rest is as the writer, this same product, decoded it. */
const common = {
  event_id: z.string().min(1),
  time: instant,
  ...{ iss: text, sub: text, client_id: text, sid: text, jti: text, token_hash: text, grant_type: text },
  scope: texts,
  exp: z.number().optional(),
  // A raw token is nowhere in an event; one that comes with a record is not of our writing.
  token: z.undefined().optional(),
};

const record = z.object({
  v: z.literal(VERSION),
  event: z.discriminatedUnion('kind', [
    z.looseObject({
      ...common,
      kind: z.literal('access'),
      client_ip: z.string().refine((ip) => canonicalAddress(ip) !== null, 'not an IP address'),
      ...{ aud: texts, amr: texts, forwarded_for: texts },
      ...{ request_id: text, path: text, route: text, user_agent: text },
      status: z.number().int().optional(),
    }),
    z.looseObject({
      ...common,
      kind: z.literal('authorization'),
      type: authorizationEventType,
      requested_scope: texts,
    }),
  ]),
  arrival: z.object({ source: z.string(), position: z.string(), received_at: z.number() }),
  origin: z.object({ stream: z.string().min(1), offset: z.number().int().min(0) }).optional(),
});

/**
 * An event as a record of the repartition topic, keyed by {@link partitionKey}.
 *
 * @throws TypeError where the event carries a raw token, which must not leave the process
 */
export function encodeRepartitioned({ event, arrival, origin }: RepartitionedEvent): KafkaMessage {
  if ('token' in event || Object.values(event).some(isSecret)) {
    throw new TypeError(`event ${event.event_id} carries a raw token`);
  }
  const { source, position, received_at } = arrival;
  return {
    key: partitionKey(event),
    value: JSON.stringify({ v: VERSION, event, arrival: { source, position, received_at }, origin }),
  };
}

const isSecret = (value: unknown) => typeof value === 'object' && value !== null && 'reveal' in value;

/**
 * An event as {@link encodeRepartitioned} wrote it.
 *
 * @param bytes value of a record
 * @throws RecallError ERR_DECODE_SCHEMA for anything else, without any of it in the message
 */
export function decodeRepartitioned(bytes: Uint8Array): RepartitionedEvent {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch {
    throw new RecallError(
      'ERR_DECODE_SCHEMA',
      `not a record of the repartition topic: not valid JSON (${bytes.byteLength} bytes)`,
    );
  }
  const parsed = record.safeParse(value);
  if (!parsed.success) {
    throw new RecallError(
      'ERR_DECODE_SCHEMA',
      `not a record of the repartition topic: ${problems(parsed.error, value)}`,
    );
  }
  const { event, arrival, origin } = parsed.data;
  return { event, arrival, origin };
}

/** Brings decoded events to the repartition topic. */
export interface Repartitioner {
  /**
   * Sends events in their order; resolves when all in-sync replicas have them. After a failure the same call is to be
   * made again, which sends some of them twice (see {@link RepartitionedEvent.origin}). Of one origin, a call must not
   * begin before the one before it resolved; Kafka sources hand over so.
   *
   * @returns events that the topic does not take because they are too large: for the dead letters
   * @throws RecallError ERR_SOURCE_UNAVAILABLE (retry) naming topic and brokers
   */
  send(events: readonly RepartitionedEvent[]): Promise<readonly RepartitionedEvent[]>;
  close(): Promise<void>;
}

const HOW_TO_CREATE =
  "create it with at least as many partitions as there will ever be workers (their number cannot change later: it decides where a subject's state lies), `cleanup.policy=delete`, and a retention longer than any outage to be survived";

/** A repartitioner for the configured topic. Connects with the first event; creates no topic. */
export function createRepartitioner(
  config: RepartitionConfig,
  { log }: { readonly log: Logger },
): Repartitioner {
  const producer = createProducer(config, log);

  async function sendPart(messages: readonly KafkaMessage[]): Promise<KafkaMessage[]> {
    try {
      await producer.send(config.topic, messages);
      return [];
    } catch (error) {
      if (!isRecallError(error, 'ERR_SINK_REFUSED')) throw error;
      if (messages.length === 1) return [...messages];
    }
    // One of them is refused: the others must not go down with it, nor change their order.
    const refused: KafkaMessage[] = [];
    for (const message of messages) refused.push(...(await sendPart([message])));
    return refused;
  }

  return {
    async send(events) {
      const sent = new Map(events.map((event) => [encodeRepartitioned(event), event]));
      const refused: KafkaMessage[] = [];
      try {
        for (const part of sendable([...sent.keys()])) refused.push(...(await sendPart(part)));
      } catch (error) {
        if (!isRecallError(error, 'ERR_SINK_UNAVAILABLE')) throw error;
        throw new RecallError(
          'ERR_SOURCE_UNAVAILABLE',
          `events wait to be repartitioned: ${error.message}; if the topic is missing, ${HOW_TO_CREATE}`,
          { cause: error },
        );
      }
      return refused.flatMap((message) => sent.get(message) ?? []);
    },
    close: () => producer.close(),
  };
}

/** The source that reads the repartition topic: a partitioned group of one topic, in the format {@link REPARTITIONED}. */
export function createRepartitionSource(config: RepartitionConfig, { log }: SourceDependencies): Source {
  // The bound on records was held against what came in; here they are larger by what decoding found out.
  const deps = { log, maxLine: Number.POSITIVE_INFINITY };
  const topic = {
    topic: config.topic,
    stream: 'access',
    format: REPARTITIONED,
    fromBeginning: true,
  } as const;
  return createKafkaSource(
    {
      connection: config,
      groupId: config.group_id,
      topics: [topic],
      partitioned: true,
      howToCreate: HOW_TO_CREATE,
    },
    deps,
  );
}
