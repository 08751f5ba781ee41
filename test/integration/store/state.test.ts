import { afterAll, beforeAll, expect, test } from 'vitest';
import type { StateRow } from '../../../src/detection/keyed-state.ts';
import type { OpenedStore } from '../../../src/store/open.ts';
import { createStateStore, type StateStore } from '../../../src/store/state.ts';
import { startClickHouse, type TestClickHouse } from '../../support/clickhouse.ts';

let server: TestClickHouse;
let store: OpenedStore;
let states: StateStore;

beforeAll(async () => {
  server = await startClickHouse();
  store = await server.open();
  states = createStateStore(store);
});

afterAll(async () => {
  await store.close();
  await server.stop();
});

const row = (key: string, state: unknown, fields: Partial<StateRow> = {}): StateRow => ({
  space: 'counting',
  key,
  version: 1,
  state: JSON.stringify(state),
  event_time: 1_700_000_000_000,
  ttl: 86_400_000,
  ...fields,
});
const load = (partition: string, ...keys: string[]) =>
  states.loadStates(
    partition,
    keys.map((key) => ({ space: 'counting', key })),
  );

test('a checkpoint gives back partition and states, also of events long gone, and leaves out what is not there', async () => {
  const claim = await states.claim('given', 'worker-1');
  expect(await states.loadPartition('given')).toBeNull();
  const keys = ['https://as.example\nuser-1', 'tab\t"quoted" \\ \u2028', "o'brien"];
  await states.checkpoint(
    claim,
    1,
    '{"v":1}',
    keys.map((key) => row(key, { key }, { review_at: 1_700_000_600_000 })),
  );
  await store.query('SELECT 1');
  const loaded = await load('given', ...keys, 'nobody');
  expect(loaded.map(({ key }) => key).sort()).toEqual([...keys].sort());
  for (const { key, state, event_time, review_at, version } of loaded) {
    expect(JSON.parse(state)).toEqual({ key });
    expect({ event_time, review_at, version }).toEqual({
      event_time: 1_700_000_000_000,
      review_at: 1_700_000_600_000,
      version: 1,
    });
  }
  expect(await states.loadPartition('given')).toBe('{"v":1}');
  expect(await states.loadReviews('given')).toHaveLength(3);
  expect((await states.newestVersions()).get('counting')).toBe(1);
});

test('of several checkpoints the latest counts, also under a later claim', async () => {
  const first = await states.claim('twice', 'worker-1');
  await states.checkpoint(first, 1, '"a"', [row('k', 1), row('other', 'stays')]);
  await states.checkpoint(first, 2, '"b"', [row('k', 2)]);
  const second = await states.claim('twice', 'worker-2');
  expect(second.epoch).toBeGreaterThan(first.epoch);
  await states.checkpoint(second, 1, '"c"', [row('k', 3)]);
  expect((await load('twice', 'k', 'other')).map(({ key, state }) => [key, state]).sort()).toEqual([
    ['k', '3'],
    ['other', '"stays"'],
  ]);
  expect(await states.loadPartition('twice')).toBe('"c"');
});

test('a worker that lost a partition writes nothing for it, neither states nor offsets', async () => {
  const before = await states.claim('lost', 'worker-1');
  await states.checkpoint(before, 1, '"before"', [row('k', 'before')]);
  const after = await states.claim('lost', 'worker-2');
  await expect(
    states.checkpoint(before, 2, '"zombie"', [row('k', 'zombie'), row('new', 'zombie')]),
  ).rejects.toMatchObject({
    code: 'ERR_STATE_FENCED',
    message: expect.stringContaining('lost') as string,
  });
  expect(await load('lost', 'k', 'new')).toMatchObject([{ key: 'k', state: '"before"' }]);
  expect(await states.loadPartition('lost')).toBe('"before"');
  await states.checkpoint(after, 1, '"after"', []);
  expect(await states.loadPartition('lost')).toBe('"after"');
});

test('a checkpoint repeated because its answer was lost is taken once', async () => {
  const claim = await states.claim('again', 'worker-1');
  await states.checkpoint(claim, 1, '"one"', [row('k', 1)]);
  await states.checkpoint(claim, 1, '"one"', [row('k', 1)]);
  const [count] = await store.query<{ rows: number }>(
    "SELECT count() AS rows FROM detector_state FINAL WHERE partition = 'again'",
  );
  expect(count?.rows).toBe(2);
});

test('of workers that claim at the same time one is left that may write', async () => {
  const claims = await Promise.all(['a', 'b', 'c', 'd'].map((owner) => states.claim('race', owner)));
  const outcomes = await Promise.allSettled(
    claims.map((claim) => states.checkpoint(claim, 1, JSON.stringify(claim.owner), [])),
  );
  const [winner, ...rest] = claims.filter((_, index) => outcomes[index]?.status === 'fulfilled');
  expect(rest).toEqual([]);
  expect(await states.loadPartition('race')).toBe(JSON.stringify(winner?.owner));
});

test('a large checkpoint is one part: all or nothing', async () => {
  const claim = await states.claim('large', 'worker-1');
  const text = 'x'.repeat(2_000);
  await store.query('SELECT 1');
  const rows = Array.from({ length: 30_000 }, (_, at) => row(`key-${at}`, text));
  await states.checkpoint(claim, 1, '"large"', rows);
  const parts = await store.query<{ part: string }>(
    "SELECT DISTINCT _part AS part FROM detector_state WHERE partition = 'large'",
  );
  expect(parts).toHaveLength(1);
  const loaded = await load('large', ...rows.map(({ key }) => key));
  expect(loaded).toHaveLength(30_000);
});

test('the states of one space are read for one partition, or for all others since a moment', async () => {
  const one = await states.claim('peer-1', 'worker-1');
  const two = await states.claim('peer-2', 'worker-2');
  await states.checkpoint(one, 1, '""', [row('k', 'one', { space: 'population' })]);
  await states.checkpoint(two, 1, '""', [row('k', 'two', { space: 'population' })]);
  const own = await states.loadSpace('population', { partition: 'peer-1' });
  expect(own).toMatchObject([{ partition: 'peer-1', state: '"one"' }]);
  const others = await states.loadSpace('population', { except: ['peer-1'], since: 0 });
  expect(others).toMatchObject([{ partition: 'peer-2', state: '"two"' }]);
  const since = others[0]?.written_at ?? 0;
  expect(await states.loadSpace('population', { except: ['peer-1'], since })).toEqual([]);
});
