import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sourceConfig } from '../../../schemas/config-sources.ts';
import { createProducer } from '../../../src/sources/kafka/client.ts';
import { createSources } from '../../../src/sources/registry.ts';
import { startKafka, type KafkaBroker } from '../../support/kafka.ts';
import { freePorts } from '../../support/processes.ts';
import { silentLog, startSource, type SourceRun } from '../../support/source-runs.ts';

let kafka: KafkaBroker;
const runs: SourceRun[] = [];
const topic = 'access';
const unique = (word: string) => `${word}-${randomBytes(6).toString('hex')}`;

beforeAll(async () => {
  // Listeners of its own, and killed below: never somebody else's cluster.
  kafka = await startKafka({ secure: true });
  await kafka.createTopic(topic);
  await kafka.produce(topic, ['one', 'two']);
});

afterAll(async () => {
  await Promise.allSettled(runs.map((run) => run.stop()));
  await kafka.stop();
});

function configOf(options: Record<string, unknown>) {
  const config = sourceConfig.parse({
    kind: 'kafka',
    brokers: kafka.brokers,
    topics: [topic],
    group_id: unique('group'),
    ...options,
  });
  if (config.kind !== 'kafka') throw new Error('not a Kafka source');
  return config;
}

function start(options: Record<string, unknown>) {
  const source = createSources([configOf(options)], { log: silentLog, maxLine: 100_000 })[0]!;
  const run = startSource(source);
  runs.push(run);
  return {
    run,
    source,
    failsWith: (detail: string) =>
      expect
        .poll(() => source.health(), { timeout: 20_000 })
        .toMatchObject({ ok: false, detail: expect.stringMatching(detail) as string }),
  };
}

describe('SASL', () => {
  it.each(['plain', 'scram-sha-256', 'scram-sha-512'])('authenticates with %s', async (mechanism) => {
    const { sasl, user } = kafka.secure!;
    const { run } = start({ brokers: [sasl], sasl: { mechanism, ...user } });
    await run.reached(2);
    expect(run.texts()).toEqual(['one', 'two']);
    await run.stop();
  });

  it.each(['plain', 'scram-sha-512'])('says who was refused with %s, not the password', async (mechanism) => {
    const { sasl, user } = kafka.secure!;
    const password = unique('wrong');
    const { source, run, failsWith } = start({
      brokers: [sasl],
      sasl: { mechanism, username: user.username, password },
    });
    await failsWith(
      `Kafka at ${sasl} refused the user ${user.username} \\(${mechanism}\\): .*[Aa]uthentication failed`,
    );
    expect(JSON.stringify(source.health())).not.toContain(password);
    await run.stop();
  });
});

describe('TLS', () => {
  it('reads through TLS with the certificate authority given', async () => {
    const { tls, ca } = kafka.secure!;
    const { run } = start({ brokers: [tls], tls: { ca, server_name: 'localhost' } });
    await run.reached(2);
    expect(run.texts()).toEqual(['one', 'two']);
    await run.stop();
  });

  it('does not trust a broker whose certificate nobody vouches for', async () => {
    const { tls } = kafka.secure!;
    const { run, failsWith } = start({ brokers: [tls], tls: { server_name: 'localhost' } });
    await failsWith(`cannot reach Kafka at ${tls}: .*certificate`);
    await run.stop();
  });
});

describe('what is not there', () => {
  it('says which broker cannot be reached, and keeps trying', async () => {
    const [port] = await freePorts(1);
    const broker = `127.0.0.1:${port}`;
    const { run, failsWith } = start({ brokers: [broker] });
    await failsWith(`cannot reach Kafka at ${broker}: .*ECONNREFUSED`);
    await run.stop();
  });

  it('names a missing topic, creates none, and reads once it is there', async () => {
    const later = unique('later');
    const { run, source, failsWith } = start({ topics: [later] });
    await failsWith(`has no topic ${later}`);
    await kafka.createTopic(later);
    await kafka.produce(later, ['first']);
    await run.reached(1);
    expect(source.health().ok).toBe(true);
    await run.stop();
  });

  it('names a missing dead letter topic that the configuration asks for', async () => {
    const missing = unique('letters');
    const { run, failsWith } = start({ dead_letter_topic: missing });
    await failsWith(`has no topic ${missing}`);
    await run.stop();
  });

  it('makes a producer say which topic it could not reach', async () => {
    const nowhere = unique('nowhere');
    const producer = createProducer(configOf({}), silentLog);
    await expect(producer.send(nowhere, [{ value: 'x' }])).rejects.toMatchObject({
      code: 'ERR_SINK_UNAVAILABLE',
      message: expect.stringContaining(nowhere) as string,
    });
    await producer.close();
  });
});

describe('a broker that goes away', () => {
  it('is waited for, health tells of it, and reading goes on where it was', async () => {
    const group_id = unique('group');
    const { source, run } = start({ group_id });
    await run.reached(2);
    // What was not committed would come again, and rightly.
    await expect.poll(() => kafka.committed(group_id, topic), { timeout: 20_000 }).toBe(2);
    await kafka.kill();
    await expect.poll(() => source.health().ok, { timeout: 60_000 }).toBe(false);
    expect(source.health().detail).toContain(kafka.brokers[0]);
    await kafka.restart();
    await kafka.produce(topic, ['three']);
    await run.reached(3);
    expect(run.texts()).toEqual(['one', 'two', 'three']);
    await expect.poll(() => source.health().ok, { timeout: 20_000 }).toBe(true);
    await run.stop();
  });
});
