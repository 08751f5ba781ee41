import { z } from 'zod';
import { kafkaConnection } from './config-sources.ts';
import { secretText } from './secret.ts';
import { duration } from './values.ts';

const format = z
  .enum(['native', 'ocsf'])
  .default('native')
  .describe('native: the alert as it is; ocsf: an OCSF Detection Finding (class 2004)');

const webhookSink = z.strictObject({
  kind: z.literal('webhook'),
  url: z.url({ protocol: /^https?$/ }).describe('Where alerts are posted'),
  secret: secretText.describe('Key of the HMAC-SHA256 signature in `X-Token-Recall-Signature`'),
  timeout: duration.prefault('10s').describe('How long an answer may take'),
  format,
});

const kafkaSink = z.strictObject({
  kind: z.literal('kafka'),
  ...kafkaConnection,
  topic: z.string().min(1).describe('Topic for alerts, keyed by alert id'),
  format,
});

const stdoutSink = z.strictObject({ kind: z.literal('stdout'), format });

export const alertSinkConfig = z.discriminatedUnion('kind', [webhookSink, kafkaSink, stdoutSink]);
export type AlertSinkConfig = z.infer<typeof alertSinkConfig>;
export type WebhookSinkConfig = z.infer<typeof webhookSink>;
export type KafkaSinkConfig = z.infer<typeof kafkaSink>;
