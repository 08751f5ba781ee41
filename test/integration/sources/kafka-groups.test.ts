import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { sourceConfig } from '../../../schemas/config-sources.ts';
import { RecallError } from '../../../src/errors.ts';
import { BATCH_RECORDS } from '../../../src/sources/batches.ts';
import { createSources } from '../../../src/sources/registry.ts';
import { startKafka, type KafkaBroker } from '../../support/kafka.ts';
import { silentLog, startSource, type SourceRun } from '../../support/source-runs.ts';

let kafka: KafkaBroker;
const runs: SourceRun[] = [];
const unique = (word: string) => `${word}-${randomBytes(6).toString('hex')}`;
const SUBJECTS = Array.from({ length: 24 }, (_, at) => `subject-${at}`);

beforeAll(async () => {
  kafka = await startKafka();
});
afterEach(async () => {
  await Promise.allSettled(runs.splice(0).map((run) => run.stop()));
});
afterAll(async () => {
  await kafka.stop();
});

/** Two topics keyed by subject, as two sources of one configuration. */
async function keyedSources(partitions = [6, 6]) {
  const [access, authorization, group] = [unique('access'), unique('authorization'), unique('group')];
  await kafka.createTopic(access, partitions[0]);
  await kafka.createTopic(authorization, partitions[1]);
  const common = { kind: 'kafka', brokers: kafka.brokers, keyed_by: 'subject' };
  const configs = [
    { ...common, topics: [access], group_id: group },
    { ...common, topics: [authorization], stream: 'authorization' },
  ];
  return { access, authorization, group, configs };
}

function start(configs: readonly unknown[], handler?: Parameters<typeof startSource>[1]) {
  const [source] = createSources(
    configs.map((config) => sourceConfig.parse(config)),
    { log: silentLog, maxLine: 100_000 },
  );
  const run = startSource(source!, handler);
  runs.push(run);
  return { source: source!, run };
}

const last = (run: SourceRun) => run.assigned.at(-1) ?? [];
const ids = (group: string, count = 6) => Array.from({ length: count }, (_, number) => `${group}/${number}`);
/** Waits until the members have all partitions, in shares of these sizes. */
const settled = (members: readonly SourceRun[], group: string, sizes: readonly number[]) =>
  expect
    .poll(
      () => [
        members.map((run) => last(run).length).sort((a, b) => b - a),
        members.flatMap((run) => last(run)).sort(),
      ],
      { timeout: 40_000 },
    )
    .toEqual([
      sizes,
      ids(
        group,
        sizes.reduce((sum, size) => sum + size, 0),
      ),
    ]);

describe('a group of keyed topics', () => {
  it('gives number n of every topic to one worker, and moves few of them when workers come and go', async () => {
    // A number at which dealing out partitions one by one would tear the topics apart.
    const { access, authorization, group, configs } = await keyedSources([7, 7]);
    const { run: a } = start(configs);
    await settled([a], group, [7]);
    const { run: b } = start(configs);
    await settled([a, b], group, [4, 3]);
    const { run: c } = start(configs);
    await settled([a, b, c], group, [3, 2, 2]);

    for (const topic of [access, authorization]) {
      for (const subject of SUBJECTS) await kafka.produce(topic, [subject], subject);
    }
    const all = [a, b, c];
    await expect
      .poll(() => all.reduce((sum, run) => sum + run.texts().length, 0), { timeout: 20_000 })
      .toBe(2 * SUBJECTS.length);
    for (const run of all) {
      for (const batch of run.batches) {
        const number = batch.partition?.split('/')[1];
        expect(last(run)).toContain(batch.partition);
        expect(batch.origin).toBe(`${batch.source.slice('kafka:'.length)}/${number}`);
        expect(batch.stream).toBe(batch.source === `kafka:${access}` ? 'access' : 'authorization');
        for (const record of batch.records) expect(record.position).toBe(`${batch.origin}/${record.offset}`);
      }
      // Each subject's events of both logs came here, or none.
      const [first, second] = [access, authorization].map((topic) =>
        run.batches
          .filter((batch) => batch.source === `kafka:${topic}`)
          .flatMap((batch) => batch.records.map(({ bytes }) => Buffer.from(bytes).toString()))
          .sort(),
      );
      expect(first).toEqual(second);
    }

    const kept = [last(b), last(c)];
    await a.stop();
    expect(last(a)).toEqual([]);
    await settled([b, c], group, [4, 3]);
    expect(last(b)).toEqual(expect.arrayContaining([...kept[0]!]));
    expect(last(c)).toEqual(expect.arrayContaining([...kept[1]!]));
  });

  it('takes over the numbers of a worker that is killed', async () => {
    const { group, configs } = await keyedSources();
    const { run } = start(configs);
    await settled([run], group, [6]);
    const member = fork(new URL('./kafka-member.ts', import.meta.url), [JSON.stringify(configs)], {
      execArgv: ['--import', 'tsx'],
    });
    try {
      await expect.poll(() => last(run).length, { timeout: 30_000 }).toBe(3);
    } finally {
      member.kill('SIGKILL');
      await once(member, 'exit');
    }
    await settled([run], group, [6]);
  });

  it('is refused where the topics differ in partitions, also when they come to while it runs', async () => {
    const unlike = await keyedSources([6, 4]);
    await expect(start(unlike.configs).run.ended).rejects.toMatchObject({
      code: 'ERR_PARTITIONING',
      message: expect.stringContaining(`(${unlike.access} has 6, ${unlike.authorization} has 4)`) as string,
    });

    // Also where the leader does not know of the odd one: here it reads the other topic alone.
    const leader = start(unlike.configs.slice(0, 1));
    await settled([leader.run], unlike.group, [6]);
    await expect(start(unlike.configs).run.ended).rejects.toMatchObject({ code: 'ERR_PARTITIONING' });
    expect(leader.run.assigned).toEqual([ids(unlike.group)]);

    const { access, group, configs } = await keyedSources();
    const { run } = start(configs);
    await settled([run], group, [6]);
    await kafka.growTopic(access, 7);
    // Whoever joins makes the leader look again.
    const { run: joining } = start(configs);
    await expect(joining.ended).rejects.toMatchObject({ code: 'ERR_PARTITIONING' });
    const alike = start([configs[0]]);
    await expect(run.ended).rejects.toMatchObject({ code: 'ERR_PARTITIONING' });
    await alike.run.stop();
  });
});

describe('a partition that another worker has', () => {
  it('ends the membership: the group is joined again, and the batch comes by its new assignment only', async () => {
    const { access, group, configs } = await keyedSources([1, 1]);
    await kafka.produce(
      access,
      Array.from({ length: BATCH_RECORDS + 10 }, (_, at) => String(at)),
    );
    const refused: number[] = [];
    const { run, source } = start(configs, async (batch) => {
      if (batch.records[0]?.offset === BATCH_RECORDS && refused.length < 2) {
        refused.push(run.assigned.length);
        // The first part is committed, and no more.
        expect(await kafka.committed(group, access)).toBe(BATCH_RECORDS);
        throw new RecallError('ERR_STATE_FENCED', 'another worker has the partition');
      }
      return undefined;
    });
    const unwell: string[] = [];
    const look = setInterval(() => {
      const { ok, detail } = source.health();
      if (!ok) unwell.push(detail);
    }, 2);
    await run.reached(BATCH_RECORDS + 10);
    clearInterval(look);
    const mine = ids(group, 1);
    expect(run.assigned).toEqual([mine, [], mine, [], mine]);
    expect(refused).toEqual([1, 3]);
    expect(unwell).toEqual([]);
    expect(run.texts()).toEqual(Array.from({ length: BATCH_RECORDS + 10 }, (_, at) => String(at)));
    await expect.poll(() => kafka.committed(group, access)).toBe(BATCH_RECORDS + 10);
  });

  it('makes the source unwell where that happens over and over', async () => {
    const { access, configs } = await keyedSources([1, 1]);
    await kafka.produce(access, ['one']);
    const { source } = start(configs, () =>
      Promise.reject(new RecallError('ERR_STATE_FENCED', 'another worker has the partition')),
    );
    await expect
      .poll(() => source.health(), { timeout: 30_000, interval: 5 })
      .toEqual({ ok: false, detail: 'another worker has the partition' });
  });

  it('begins no other batch, and leaves those under way to end and be committed', async () => {
    // More than are taken at once: some batches queue.
    const { access, group, configs } = await keyedSources([16, 16]);
    const subjects = Array.from({ length: 120 }, (_, at) => `subject-${at}`);
    await Promise.all(subjects.map((subject) => kafka.produce(access, [subject], subject)));
    const release: (() => void)[] = [];
    const began: number[] = [];
    let fenced = false;
    const { run } = start(configs, async () => {
      began.push(run.assigned.length);
      if (fenced) return undefined;
      if (began.length < 8) await new Promise<void>((resolve) => release.push(resolve));
      else {
        fenced = true;
        throw new RecallError('ERR_STATE_FENCED', 'another worker has the partition');
      }
      return undefined;
    });
    await expect.poll(() => fenced, { timeout: 20_000 }).toBe(true);
    // Still ours: what is under way may yet be written.
    expect(run.assigned).toEqual([ids(group, 16)]);
    for (const one of release) one();
    await run.reached(subjects.length);
    expect(run.texts().sort()).toEqual([...subjects].sort());
    const mine = ids(group, 16);
    expect(run.assigned).toEqual([mine, [], mine]);
    expect(began.filter((assigned) => assigned === 1)).toHaveLength(8);
  });
});

describe('a source that is not keyed', () => {
  it('hands over records with offsets, of no state partition, and is assigned none', async () => {
    const topic = unique('unkeyed');
    await kafka.createTopic(topic, 2);
    await kafka.produce(topic, ['one', 'two'], 'same');
    const { run } = start([{ kind: 'kafka', brokers: kafka.brokers, topics: [topic] }]);
    await run.reached(2);
    const [batch] = run.batches;
    expect(batch).toMatchObject({ origin: expect.stringMatching(`^${topic}/[01]$`) as string });
    expect(batch?.partition).toBeUndefined();
    expect(run.batches.flatMap(({ records }) => records.map(({ offset }) => offset))).toEqual([0, 1]);
    await run.stop();
    expect(run.assigned).toEqual([]);
  });
});

it('takes many partitions at once without Node taking the listeners for a leak', async () => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  const stop = new AbortController();
  const AT_ONCE = 8;
  process.on('warning', onWarning);
  try {
    const ended: Promise<void>[] = [];
    const waiting: (() => void)[] = [];
    for (const topic of [unique('many'), unique('many')]) {
      await kafka.createTopic(topic, AT_ONCE);
      for (const subject of SUBJECTS) await kafka.produce(topic, [subject], subject);
      const [source] = createSources(
        [sourceConfig.parse({ kind: 'kafka', brokers: kafka.brokers, topics: [topic] })],
        { log: silentLog, maxLine: 100_000 },
      );
      const wait = async () => {
        await new Promise<void>((resolve) => waiting.push(resolve));
        return { accepted: 1, deadLetters: 0 };
      };
      ended.push(source!.run(wait, stop.signal));
    }
    await expect.poll(() => waiting.length, { timeout: 20_000 }).toBe(2 * AT_ONCE);
    stop.abort();
    for (const release of waiting) release();
    await Promise.all(ended);
    // Warnings come a turn of the event loop later.
    await new Promise(setImmediate);
    expect(warnings).toEqual([]);
  } finally {
    process.off('warning', onWarning);
  }
});
