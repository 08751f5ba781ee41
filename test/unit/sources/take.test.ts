import { expect, it, vi } from 'vitest';
import type { DeadLetter } from '../../../schemas/dead-letter.ts';
import { RecallError } from '../../../src/errors.ts';
import { BATCH_RECORDS } from '../../../src/sources/batches.ts';
import { createHealth } from '../../../src/sources/health.ts';
import type { KafkaBatch } from '../../../src/sources/kafka/port.ts';
import { take } from '../../../src/sources/kafka/take.ts';
import type { BatchOutcome, SourceBatch } from '../../../src/sources/port.ts';
import { silentLog } from '../../support/source-runs.ts';

/*
 * Faults between two steps that no real broker makes at will. What happens against a real one is in
 * test/integration/sources.
 */

/** Three parts of a batch, the last of one record; offsets begin at 100. */
const COUNT = 2 * BATCH_RECORDS + 1;
const offsetOf = (index: number) => String(100 + index);
const records = Array.from({ length: COUNT }, (_, index) => ({
  offset: offsetOf(index),
  timestamp: '0',
  value: Buffer.from('{}'),
}));
const ends = [BATCH_RECORDS - 1, 2 * BATCH_RECORDS - 1, COUNT - 1].map(offsetOf);

const letter: DeadLetter = {
  dead_letter_id: 'letter-1',
  received_at: 0,
  source: 'kafka:t',
  position: 't/3/100',
  stream: 'access',
  step: 'decode',
  code: 'ERR_DECODE_JSON',
  reason: 'not valid JSON',
  size: 2,
  excerpt: '{}',
  sealed: '',
};

interface Parts {
  handler?: (batch: SourceBatch, part: number) => Promise<Partial<BatchOutcome>>;
  publish?: () => Promise<void>;
  fetched?: Partial<KafkaBatch>;
  signal?: AbortSignal;
}

/** Takes the three parts; notes in `road` what happened in which order. */
function start({ handler, publish, fetched, signal = new AbortController().signal }: Parts) {
  const road: string[] = [];
  const batches: SourceBatch[] = [];
  const taking = take(
    {
      topic: 't',
      partition: 3,
      records,
      isCurrent: () => true,
      heartbeat: () => Promise.resolve(),
      commit: (offset) => {
        road.push(`commit ${offset}`);
        return Promise.resolve();
      },
      ...fetched,
    },
    {
      async onBatch(batch) {
        batches.push(batch);
        const part = batches.length;
        road.push(`take ${part}`);
        const outcome = await handler?.(batch, part);
        return { accepted: 1, deadLetters: 0, ...outcome };
      },
      producer: {
        send: async () => {
          await publish?.();
          road.push('published');
        },
        close: () => Promise.resolve(),
      },
      ...{ stream: 'access', format: 'canonical', letters: 't.dlq', partition: 'group/3', maxLine: 1_000 },
      ...{ log: silentLog, health: createHealth(''), signal },
    },
  );
  return { road, batches, taking };
}

it('commits each part when it is durable, and begins the next one then', async () => {
  const { road, batches, taking } = start({});
  await taking;
  expect(road).toEqual([1, 2, 3].flatMap((part) => [`take ${part}`, `commit ${String(ends[part - 1])}`]));
  expect(batches.flatMap((batch) => batch.records.map(({ offset }) => offset))).toEqual(
    records.map(({ offset }) => Number(offset)),
  );
  expect(batches[2]).toMatchObject({
    source: 'kafka:t',
    origin: 't/3',
    partition: 'group/3',
    records: [{ position: `t/3/${String(ends[2])}`, offset: Number(ends[2]) }],
  });
});

it('commits nothing past a part that was not taken', async () => {
  const refused = start({
    handler: (_batch, part) =>
      part === 2 ? Promise.reject(new RecallError('ERR_STATE_FENCED', 'taken')) : Promise.resolve({}),
  });
  await expect(refused.taking).rejects.toMatchObject({ code: 'ERR_STATE_FENCED' });
  expect(refused.road).toEqual(['take 1', `commit ${String(ends[0])}`, 'take 2']);

  const controller = new AbortController();
  const stopped = start({
    signal: controller.signal,
    handler: (_batch, part) => {
      if (part < 2) return Promise.resolve({});
      controller.abort();
      return Promise.reject(new RecallError('ERR_STORE_UNAVAILABLE', 'away'));
    },
  });
  await stopped.taking;
  expect(stopped.road).toEqual(['take 1', `commit ${String(ends[0])}`, 'take 2']);
});

it('commits nothing past a part whose commit failed', async () => {
  const { road, taking } = start({ fetched: { commit: () => Promise.reject(new Error('no coordinator')) } });
  await expect(taking).rejects.toThrow('no coordinator');
  expect(road).toEqual(['take 1']);
});

it('commits what was taken while it was told to stop, and begins nothing new', async () => {
  const controller = new AbortController();
  const { road, taking } = start({
    signal: controller.signal,
    handler: () => {
      controller.abort();
      return Promise.resolve({});
    },
  });
  await taking;
  expect(road).toEqual(['take 1', `commit ${String(ends[0])}`]);
});

it('never commits before dead letters are out', async () => {
  let attempts = 0;
  const { road, taking } = start({
    handler: (_batch, part) => Promise.resolve(part === 1 ? { deadLetters: 1, letters: [letter] } : {}),
    publish: () => {
      attempts += 1;
      return attempts < 3
        ? Promise.reject(new RecallError('ERR_SINK_UNAVAILABLE', 'away'))
        : Promise.resolve();
    },
  });
  await taking;
  expect(attempts).toBe(3);
  expect(road.slice(0, 4)).toEqual(['take 1', 'published', `commit ${String(ends[0])}`, 'take 2']);
});

it('commits nothing where it is stopped while dead letters wait', async () => {
  const controller = new AbortController();
  const publish = vi.fn(() => {
    controller.abort();
    return Promise.reject(new RecallError('ERR_SINK_UNAVAILABLE', 'away'));
  });
  const { road, taking } = start({
    signal: controller.signal,
    handler: () => Promise.resolve({ deadLetters: 1, letters: [letter] }),
    publish,
  });
  await taking;
  expect(publish).toHaveBeenCalledTimes(1);
  expect(road).toEqual(['take 1']);
});

it('commits where the broker never takes the dead letters: the store has them', async () => {
  const { road, taking } = start({
    handler: (_batch, part) => Promise.resolve(part === 1 ? { deadLetters: 1, letters: [letter] } : {}),
    publish: () => Promise.reject(new RecallError('ERR_SINK_REFUSED', 'too large')),
  });
  await taking;
  expect(road.slice(0, 3)).toEqual(['take 1', `commit ${String(ends[0])}`, 'take 2']);
});

it('begins nothing where the batch is not current, or the group is known to rebalance', async () => {
  let current = true;
  const ended = start({
    fetched: { isCurrent: () => current },
    handler: () => {
      current = false;
      return Promise.resolve({});
    },
  });
  await ended.taking;
  expect(ended.road).toEqual(['take 1', `commit ${String(ends[0])}`]);

  const rebalance = new Error('rebalance in progress');
  const rebalanced = start({ fetched: { heartbeat: () => Promise.reject(rebalance) } });
  await expect(rebalanced.taking).rejects.toBe(rebalance);
  expect(rebalanced.road).toEqual([]);
});
