import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { repartitionConfig } from '../../../schemas/config-sources.ts';
import type { BatchOutcome, SourceBatch } from '../../../src/sources/port.ts';
import {
  createRepartitioner,
  createRepartitionSource,
  decodeRepartitioned,
  REPARTITIONED,
  type RepartitionedEvent,
  type Repartitioner,
} from '../../../src/pipeline/repartition.ts';
import { startKafka, type KafkaBroker } from '../../support/kafka.ts';
import { silentLog, startSource, type SourceRun } from '../../support/source-runs.ts';

let kafka: KafkaBroker;
const closers: (() => Promise<void>)[] = [];
const unique = (word: string) => `${word}-${randomBytes(6).toString('hex')}`;
const deps = { log: silentLog, maxLine: 1_000 };
const time = Date.UTC(2026, 5, 1);

beforeAll(async () => {
  // Listeners of its own, and killed below: never somebody else's cluster.
  kafka = await startKafka({ secure: true });
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});
afterAll(async () => {
  await kafka.stop();
});

async function freshTopic(partitions?: number) {
  const config = repartitionConfig.parse({
    brokers: kafka.brokers,
    topic: unique('events'),
    group_id: unique('detect'),
  });
  if (partitions !== undefined) await kafka.createTopic(config.topic, partitions);
  const repartitioner = createRepartitioner(config, { log: silentLog });
  closers.push(() => repartitioner.close());
  return { config, repartitioner };
}
type Config = Awaited<ReturnType<typeof freshTopic>>['config'];

function read(config: Config, handler?: (batch: SourceBatch) => Promise<Partial<BatchOutcome> | undefined>) {
  const source = createRepartitionSource(config, deps);
  const run = startSource(source, handler);
  closers.push(() => run.stop());
  return { run, source };
}
const eventsOf = (run: SourceRun) =>
  run.batches.flatMap(({ partition, records }) =>
    records.map((record) => ({ partition, ...decodeRepartitioned(record.bytes) })),
  );

/** Access events of twelve subjects, from one partition of a topic of origin. */
function events(stream: string, count: number, first = 0): RepartitionedEvent[] {
  return Array.from({ length: count }, (_, at) => {
    const offset = first + at;
    const position = `${stream}/${offset}`;
    const event = {
      kind: 'access',
      event_id: position,
      time,
      client_ip: '192.0.2.1',
      sub: `s${offset % 12}`,
    } as const;
    return {
      event,
      arrival: { source: 'kafka:gateway', position, received_at: time },
      origin: { stream, offset },
    };
  });
}
const offsetsOf = (found: readonly RepartitionedEvent[], stream: string) =>
  found.filter(({ origin }) => origin?.stream === stream).map(({ origin }) => origin?.offset ?? -1);
const ascending = (offsets: readonly number[]) =>
  offsets.every((offset, at) => at === 0 || offset > offsets[at - 1]!);

it('brings all events of a subject to one worker, those of an origin in their order', async () => {
  const { config, repartitioner } = await freshTopic(6);
  const members = [read(config), read(config)].map(({ run }) => run);
  await expect
    .poll(() => members.map((run) => run.assigned.at(-1)?.length), { timeout: 30_000 })
    .toEqual([3, 3]);
  const streams = ['gateway/0', 'gateway/1', 'other/0'];
  const refused = await Promise.all(streams.map((stream) => repartitioner.send(events(stream, 1_200))));
  expect(refused.flat()).toEqual([]);
  await expect
    .poll(() => members.reduce((sum, run) => sum + run.texts().length, 0), { timeout: 20_000 })
    .toBe(3_600);

  const found = members.flatMap(eventsOf);
  expect(found.map(({ event }) => event.event_id).sort()).toEqual(
    streams.flatMap((stream) => events(stream, 1_200).map(({ event }) => event.event_id)).sort(),
  );
  const places = new Map<string | undefined, Set<string | undefined>>();
  for (const { event, partition } of found) {
    places.set(event.sub, (places.get(event.sub) ?? new Set()).add(partition));
  }
  expect([...places.values()].every((partitions) => partitions.size === 1)).toBe(true);
  for (const partition of new Set(found.map((one) => one.partition))) {
    const here = found.filter((one) => one.partition === partition);
    for (const stream of streams) expect(ascending(offsetsOf(here, stream))).toBe(true);
  }
  const [batch] = members[0]!.batches;
  expect(batch).toMatchObject({
    format: REPARTITIONED,
    source: `kafka:${config.topic}`,
    partition: expect.stringMatching(`^${config.group_id}/[0-5]$`) as string,
    origin: expect.stringMatching(`^${config.topic}/[0-5]$`) as string,
    records: expect.arrayContaining([expect.objectContaining({ offset: 0 })]) as unknown,
  });
});

it('says of a missing topic what to create, on both sides, and goes on when it is there', async () => {
  const { config, repartitioner } = await freshTopic();
  const how = expect.stringMatching(`${config.topic}.*create it with at least as many partitions`) as string;
  await expect(repartitioner.send(events('gateway/0', 1))).rejects.toMatchObject({
    code: 'ERR_SOURCE_UNAVAILABLE',
    message: how,
  });
  const { run, source } = read(config);
  await expect.poll(() => source.health(), { timeout: 20_000 }).toMatchObject({ ok: false, detail: how });
  await kafka.createTopic(config.topic, 2);
  await untilSent(repartitioner, events('gateway/0', 1));
  await run.reached(1);
  expect(source.health().ok).toBe(true);
});

/** As the pipeline does: the same events, until they are in. */
async function untilSent(repartitioner: Repartitioner, items: readonly RepartitionedEvent[]): Promise<void> {
  await expect
    .poll(
      () =>
        repartitioner.send(items).then(
          () => true,
          (error: unknown) => error,
        ),
      { timeout: 60_000 },
    )
    .toBe(true);
}

it('gives back what is too large for the topic, and sends the others in their order', async () => {
  const { config, repartitioner } = await freshTopic(1);
  const items = events('gateway/0', 5);
  const large = { ...items[2]!, event: { ...items[2]!.event, extra: { note: 'x'.repeat(1_200_000) } } };
  expect(await repartitioner.send(items.with(2, large))).toEqual([large]);
  const { run } = read(config);
  await run.reached(4);
  expect(offsetsOf(eventsOf(run), 'gateway/0')).toEqual([0, 1, 3, 4]);
});

it('reads records larger than what a gateway may send', async () => {
  const { config, repartitioner } = await freshTopic(1);
  const [item] = events('gateway/0', 1);
  const larger = { ...item!, event: { ...item!.event, extra: { note: 'x'.repeat(2 * deps.maxLine) } } };
  await repartitioner.send([larger]);
  const { run } = read(config);
  await run.reached(1);
  expect(run.batches[0]?.records[0]?.refused).toBeUndefined();
});

it('waits out a broker that goes away: nothing is missing, and what came twice is told by its origin', async () => {
  const { config, repartitioner } = await freshTopic(3);
  await repartitioner.send(events('gateway/0', 100));
  await kafka.kill();
  const next = events('gateway/0', 3_000, 100);
  await expect(repartitioner.send(next)).rejects.toMatchObject({
    code: 'ERR_SOURCE_UNAVAILABLE',
    message: expect.stringContaining(config.topic) as string,
  });
  await kafka.restart();
  await untilSent(repartitioner, next);
  // As after a crash between sending and committing.
  await untilSent(repartitioner, next.slice(1_000));
  const { run } = read(config);
  await run.reached(5_100);

  const highest = new Map<string | undefined, number>();
  const kept = eventsOf(run).filter(({ partition, origin }) => {
    if (origin!.offset <= (highest.get(partition) ?? -1)) return false;
    highest.set(partition, origin!.offset);
    return true;
  });
  expect(offsetsOf(kept, 'gateway/0').sort((a, b) => a - b)).toEqual(
    Array.from({ length: 3_100 }, (_, offset) => offset),
  );
});
