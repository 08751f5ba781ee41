import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sourceConfig, type KafkaSourceConfig } from '../../../schemas/config-sources.ts';
import type { DeadLetter } from '../../../schemas/dead-letter.ts';
import { RecallError } from '../../../src/errors.ts';
import { createSources } from '../../../src/sources/registry.ts';
import { startKafka, type KafkaBroker } from '../../support/kafka.ts';
import { silentLog, startSource, type SourceRun } from '../../support/source-runs.ts';

let kafka: KafkaBroker;
const runs: SourceRun[] = [];
const unique = (word: string) => `${word}-${randomBytes(6).toString('hex')}`;

/** A handler that takes longer than a session of the group; it works beside the other tests. */
const slow = { topic: unique('slow'), group: unique('group'), calls: 0 };
const LONGER_THAN_A_SESSION = 20_000;

beforeAll(async () => {
  kafka = await startKafka();
  await kafka.createTopic(slow.topic);
  await kafka.produce(slow.topic, ['slow']);
  start(configOf([slow.topic], { group_id: slow.group }), async () => {
    slow.calls += 1;
    await delay(LONGER_THAN_A_SESSION);
    return undefined;
  });
});

afterAll(async () => {
  await Promise.allSettled(runs.map((run) => run.stop()));
  await kafka.stop();
});

function configOf(topics: string[], overrides: Partial<KafkaSourceConfig> = {}): KafkaSourceConfig {
  const group_id = unique('group');
  const config = sourceConfig.parse({
    kind: 'kafka',
    brokers: kafka.brokers,
    topics,
    group_id,
    ...overrides,
  });
  if (config.kind !== 'kafka') throw new Error('not a Kafka source');
  return config;
}

function start(config: KafkaSourceConfig, handler?: Parameters<typeof startSource>[1]) {
  const source = createSources([config], { log: silentLog, maxLine: 100_000 })[0]!;
  const run = startSource(source, handler);
  runs.push(run);
  return { source, run };
}

async function topicWith(values: readonly (string | null)[]): Promise<string> {
  const topic = unique('access');
  await kafka.createTopic(topic);
  await kafka.produce(topic, values);
  return topic;
}

const lines = (count: number) => Array.from({ length: count }, (_, at) => `{"line":${at}}`);

describe('reading', () => {
  it.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'])(
    'reads record batches of the Java client compressed with %s',
    async (codec) => {
      const topic = unique(codec);
      await kafka.createTopic(topic);
      // Long enough for Snappy to need several blocks.
      const values = lines(500).map((line) => `${line}${' '.repeat(300)}`);
      await kafka.produceWithJava(topic, values, codec);
      const { run } = start(configOf([topic]));
      await run.reached(values.length);
      expect(run.texts()).toEqual(values);
      await run.stop();
    },
  );

  it('names each record by topic, partition and offset', async () => {
    const topic = await topicWith(lines(3));
    const { run, source } = start(configOf([topic]));
    await run.reached(3);
    const records = run.batches.flatMap((batch) => batch.records);
    expect(records.map((record) => record.position)).toEqual([
      `${topic}/0/0`,
      `${topic}/0/1`,
      `${topic}/0/2`,
    ]);
    expect(run.batches[0]).toMatchObject({ source: `kafka:${topic}`, stream: 'access', format: 'canonical' });
    expect(source.health()).toMatchObject({
      ok: true,
      detail: expect.stringContaining('1 partitions') as string,
    });
    await run.stop();
  });

  it('reads all partitions of several topics', async () => {
    const topics = [unique('many'), unique('many')];
    for (const topic of topics) {
      await kafka.createTopic(topic, 4);
      for (const key of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) await kafka.produce(topic, lines(10), key);
    }
    const { run } = start(configOf(topics));
    await run.reached(140);
    expect(new Set(run.batches.map((batch) => batch.source)).size).toBe(2);
    await run.stop();
  });

  it('hands an empty record over for a tombstone, and refuses what is larger than max_line', async () => {
    const topic = await topicWith([null, `{"big":"${'x'.repeat(200_000)}"}`, '{}']);
    const { run } = start(configOf([topic]));
    await run.reached(3);
    const [tombstone, big, last] = run.batches.flatMap((batch) => batch.records);
    expect(tombstone?.bytes.byteLength).toBe(0);
    expect(big?.refused).toMatchObject({ code: 'ERR_DECODE_TOO_LARGE', size: 200_010 });
    expect(big?.bytes.byteLength).toBeLessThan(20_000);
    expect(last?.refused).toBeUndefined();
    await run.stop();
  });

  it('begins with the newest record where the group has no offset and from_beginning is off', async () => {
    const topic = await topicWith(['old']);
    const { run, source } = start(configOf([topic], { from_beginning: false }));
    await expect.poll(() => source.health().detail, { timeout: 20_000 }).toContain('assigned');
    // Where the newest is, the consumer asks after it was assigned: later ones it must see.
    await expect
      .poll(
        async () => {
          await kafka.produce(topic, ['new']);
          return run.texts().length;
        },
        { timeout: 20_000 },
      )
      .toBeGreaterThan(0);
    expect(run.texts()).not.toContain('old');
    await run.stop();
  });
});

describe('durability', () => {
  it('commits nothing before the handler resolved, and hands a rejected batch over again', async () => {
    const topic = await topicWith(lines(5));
    const config = configOf([topic]);
    const before: number[] = [];
    let attempts = 0;
    const { run, source } = start(config, async () => {
      attempts += 1;
      before.push(await kafka.committed(config.group_id!, topic));
      if (attempts < 3) throw new RecallError('ERR_STORE_UNAVAILABLE', 'the store is away');
      return undefined;
    });
    await expect
      .poll(() => source.health(), { timeout: 20_000, interval: 10 })
      .toMatchObject({
        ok: false,
        detail: expect.stringContaining('the store is away') as string,
      });
    await run.reached(5);
    expect(before).toEqual([-1, -1, -1]);
    expect(run.texts()).toEqual(lines(5));
    await expect.poll(() => kafka.committed(config.group_id!, topic), { timeout: 20_000 }).toBe(5);
    expect(source.health().ok).toBe(true);
    await run.stop();
  });

  it('goes on after the committed offset when started again', async () => {
    const topic = await topicWith(lines(3));
    const config = configOf([topic]);
    const first = start(config);
    await first.run.reached(3);
    await first.run.stop();
    expect(await kafka.committed(config.group_id!, topic)).toBe(3);
    await kafka.produce(topic, ['next']);
    const second = start(config);
    await second.run.reached(1);
    expect(second.run.texts()).toEqual(['next']);
    await second.run.stop();
  });

  it('shares partitions with a member that joins, without losing or repeating records', async () => {
    const topic = unique('shared');
    await kafka.createTopic(topic, 2);
    for (const key of ['a', 'b', 'c', 'd']) await kafka.produce(topic, [`${key}1`], key);
    const config = configOf([topic]);
    const first = start(config);
    await first.run.reached(4);
    const second = start(config);
    for (const member of [first, second]) {
      await expect.poll(() => member.source.health().detail, { timeout: 30_000 }).toContain('1 partitions');
    }
    for (const key of ['a', 'b', 'c', 'd']) await kafka.produce(topic, [`${key}2`], key);
    await expect
      .poll(() => first.run.texts().length + second.run.texts().length, { timeout: 20_000 })
      .toBe(8);
    expect([...first.run.texts(), ...second.run.texts()].sort()).toEqual([
      ...['a1', 'a2', 'b1', 'b2', 'c1', 'c2', 'd1', 'd2'],
    ]);
    await first.run.stop();
    await second.run.stop();
  });

  it('stops with the error where the handler fails for good', async () => {
    const topic = await topicWith(lines(1));
    const config = configOf([topic]);
    const { run } = start(config, () =>
      Promise.reject(new RecallError('ERR_STORE_REFUSED', 'no such column')),
    );
    await expect(run.ended).rejects.toMatchObject({ code: 'ERR_STORE_REFUSED' });
    expect(await kafka.committed(config.group_id!, topic)).toBe(-1);
  });
});

describe('dead letters', () => {
  const letterAt = (position: string): DeadLetter => ({
    dead_letter_id: 'letter-1',
    received_at: 0,
    source: 'kafka:x',
    position,
    stream: 'access',
    step: 'decode',
    code: 'ERR_DECODE_JSON',
    reason: 'not valid JSON',
    size: 7,
    excerpt: 'garbage',
    sealed: '',
  });

  it('go to <topic>.dlq where it exists, with reason and origin in the headers, before the commit', async () => {
    const topic = await topicWith(['garbage']);
    await kafka.createTopic(`${topic}.dlq`);
    const config = configOf([topic]);
    const { run } = start(config, () =>
      Promise.resolve({ accepted: 0, deadLetters: 1, letters: [letterAt(`${topic}/0/0`)] }),
    );
    await expect.poll(() => kafka.committed(config.group_id!, topic), { timeout: 20_000 }).toBe(1);
    const [letter] = await kafka.read(`${topic}.dlq`, 1);
    expect(letter).toMatchObject({
      value: 'garbage',
      headers: {
        reason: 'not valid JSON',
        code: 'ERR_DECODE_JSON',
        step: 'decode',
        original_topic: topic,
        original_partition: '0',
        original_offset: '0',
        original_timestamp: expect.stringMatching(/^\d{13}$/) as string,
      },
    });
    await run.stop();
  });

  it('go nowhere where no such topic exists, and the offset is committed', async () => {
    const topic = await topicWith(['garbage']);
    const config = configOf([topic]);
    const { run } = start(config, () =>
      Promise.resolve({ accepted: 0, deadLetters: 1, letters: [letterAt(`${topic}/0/0`)] }),
    );
    await expect.poll(() => kafka.committed(config.group_id!, topic), { timeout: 20_000 }).toBe(1);
    await run.stop();
  });
});

it('keeps its place in the group while a batch takes longer than a session', async () => {
  await expect.poll(() => kafka.committed(slow.group, slow.topic), { timeout: 60_000 }).toBe(1);
  expect(slow.calls).toBe(1);
});
