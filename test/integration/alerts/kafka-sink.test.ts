import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { alertSinkConfig, type KafkaSinkConfig } from '../../../schemas/config-sinks.ts';
import { createDispatcher } from '../../../src/alerts/dispatcher.ts';
import { createAlertSink } from '../../../src/alerts/registry.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { quietClient } from '../../support/kafka-operations.ts';
import { startKafka, type KafkaBroker } from '../../support/kafka.ts';
import { freePorts } from '../../support/processes.ts';
import { silentLog } from '../../support/source-runs.ts';
import { alertOf } from '../../unit/alerts/alert.ts';
import { deliveriesInMemory } from '../../unit/alerts/deliveries.ts';

let kafka: KafkaBroker;
beforeAll(async () => {
  kafka = await startKafka();
});
afterAll(() => kafka.stop());

const deps = { log: silentLog, publicUrl: 'https://recall.example.com' };

function configOf(topic: string, change: Partial<KafkaSinkConfig> = {}) {
  return alertSinkConfig.parse({ kind: 'kafka', brokers: kafka.brokers, topic, ...change });
}

async function freshTopic(): Promise<string> {
  const topic = `alerts-${randomBytes(6).toString('hex')}`;
  await kafka.createTopic(topic);
  return topic;
}

/** Keys of the first `count` messages of a topic. */
async function keysOf(topic: string, count: number): Promise<(string | undefined)[]> {
  const consumer = quietClient(kafka.brokers).consumer({ groupId: `keys-${randomBytes(6).toString('hex')}` });
  const keys: (string | undefined)[] = [];
  await consumer.connect();
  try {
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      eachMessage: ({ message }) => Promise.resolve(void keys.push(message.key?.toString())),
    });
    await expect.poll(() => keys.length, { timeout: 30_000 }).toBe(count);
    return keys;
  } finally {
    await consumer.disconnect();
  }
}

describe('Kafka sink', () => {
  it.each(['native', 'ocsf'] as const)('delivers %s alerts in order, keyed by alert id', async (format) => {
    const topic = await freshTopic();
    const dispatcher = createDispatcher({
      sinks: [createAlertSink(configOf(topic, { format }), deps)],
      deliveries: deliveriesInMemory().deliveries,
      log: silentLog,
      metrics: createMetrics(),
    });
    for (const id of ['a', 'b', 'c']) dispatcher.submit(alertOf({ alert_id: id }));
    await dispatcher.close(30_000);

    expect(await keysOf(topic, 3)).toEqual(['a', 'b', 'c']);
    const messages = await kafka.read(topic, 3);
    const values = messages.map(({ value }) => JSON.parse(value) as Record<string, unknown>);
    expect(messages[0]?.headers).toEqual({ 'content-type': 'application/json', format });
    const runbook = 'https://recall.example.com/v1/detectors/token-replay';
    expect(values[0]).toMatchObject(
      format === 'native'
        ? { alert_id: 'a', time: '2026-03-01T09:30:00.000Z', findings: [{ runbook }] }
        : { class_uid: 2004, finding_info: { uid: 'a', src_url: runbook } },
    );
  });

  it('is asked again later where no broker answers', async () => {
    const [port = 0] = await freePorts(1);
    const sink = createAlertSink(configOf('alerts', { brokers: [`127.0.0.1:${port}`] }), deps);
    const sending = sink.send(alertOf(), new AbortController().signal);
    await expect(sending).rejects.toMatchObject({ code: 'ERR_SINK_UNAVAILABLE' });
    await sink.close();
  });

  it('is asked again later where the topic is not there yet', async () => {
    const sink = createAlertSink(configOf(`none-${randomBytes(6).toString('hex')}`), deps);
    const sending = sink.send(alertOf(), new AbortController().signal);
    await expect(sending).rejects.toMatchObject({ code: 'ERR_SINK_UNAVAILABLE' });
    await sink.close();
  });
});
