import { z } from 'zod';
import { secretText } from './secret.ts';

const stream = z.enum(['access', 'authorization']).default('access').describe('Which log it carries');
const format = z.string().min(1).default('canonical').describe('Format of the records');

/** How to reach a Kafka cluster; sources and sinks share it. */
export const kafkaConnection = {
  brokers: z.array(z.string().min(1)).min(1).describe('host:port of bootstrap brokers'),
  client_id: z.string().min(1).default('token-recall').describe('client.id sent to the brokers'),
  tls: z
    .strictObject({
      ca: z.string().optional().describe('PEM of the certificate authority'),
      cert: z.string().optional().describe('PEM of the client certificate'),
      key: secretText.optional().describe('PEM of its private key'),
      server_name: z.string().optional().describe('Name expected in the broker certificate'),
    })
    .optional()
    .describe('TLS; `{}` for the system certificate authorities'),
  sasl: z
    .strictObject({
      mechanism: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']).describe('SASL mechanism'),
      username: z.string().min(1).describe('User'),
      password: secretText.describe('Password'),
    })
    .optional()
    .describe('SASL authentication'),
};
export type KafkaConnection = z.infer<z.ZodObject<typeof kafkaConnection>>;

const kafkaSource = z.strictObject({
  kind: z.literal('kafka'),
  ...kafkaConnection,
  topics: z.array(z.string().min(1)).min(1).describe('Topics to read'),
  group_id: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Consumer group. Default: `token-recall` for keyed sources, which are read together, else `token-recall.` and the topics',
    ),
  from_beginning: z
    .boolean()
    .default(true)
    .describe('Where a group without offsets begins: the oldest record, or the newest'),
  keyed_by: z
    .enum(['subject', 'client', 'session', 'token', 'none'])
    .default('none')
    .describe(
      'What the producer keys records by. Detection needs all events of a subject in one partition: of topics keyed otherwise it takes them through `repartition`',
    ),
  dead_letter_topic: z
    .string()
    .optional()
    .describe(
      'Topic for records that are no event; default: the topic with `.dlq` behind it, if that topic exists',
    ),
  stream,
  format,
});

/** Default of the consumer group that detects. */
export const REPARTITION_GROUP = 'token-recall.detect';

/** The topic through which events are brought together by subject, where the input is not keyed so. */
export const repartitionConfig = z.strictObject({
  ...kafkaConnection,
  topic: z
    .string()
    .min(1)
    .default('token-recall.events')
    .describe('Topic of decoded events, keyed by subject; its partitions are what workers share'),
  group_id: z.string().min(1).default(REPARTITION_GROUP).describe('Consumer group that detects'),
});
export type RepartitionConfig = z.infer<typeof repartitionConfig>;

const fileSource = z.strictObject({
  kind: z.literal('file'),
  path: z.string().min(1).describe('File with one record a line; `.gz` is decompressed'),
  follow: z.boolean().default(false).describe('Keep reading what is appended, through rotation'),
  stream,
  format,
});

const stdinSource = z.strictObject({ kind: z.literal('stdin'), stream, format });

export const sourceConfig = z.discriminatedUnion('kind', [kafkaSource, fileSource, stdinSource]);
export type SourceConfig = z.infer<typeof sourceConfig>;
export type KafkaSourceConfig = z.infer<typeof kafkaSource>;
export type FileSourceConfig = z.infer<typeof fileSource>;
