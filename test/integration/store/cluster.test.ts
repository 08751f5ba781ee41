import { afterAll, beforeAll, expect, test } from 'vitest';
import { createClickHouse } from '../../../src/store/client.ts';
import { migrate } from '../../../src/store/migrate.ts';
import type { OpenedStore } from '../../../src/store/open.ts';
import { createReads } from '../../../src/store/reads.ts';
import { startCluster } from '../../support/clickhouse.ts';
import {
  NOON,
  accessEvent,
  authorizationEvent,
  sampleAction,
  sampleAlert,
  sampleFinding,
} from './samples.ts';

let cluster: Awaited<ReturnType<typeof startCluster>>;
let store: OpenedStore;

beforeAll(async () => {
  cluster = await startCluster();
  store = await cluster.open();
});
afterAll(async () => {
  await store.close();
  await cluster.stop();
});

/** Asks one shard for its own rows. */
async function onEachShard<T>(sql: string): Promise<T[][]> {
  const { username, password, database } = cluster.config;
  return await Promise.all(
    cluster.shards.map(async (url) => {
      const shard = createClickHouse({ url, username, password: password!.reveal(), database });
      const rows = await shard.query<T>(sql);
      await shard.close();
      return rows;
    }),
  );
}

test('rows spread over the shards by subject, and every read sees all of them', async () => {
  const events = Array.from({ length: 2_000 }, (_, index) =>
    accessEvent(`c-${index}`, {
      sub: `user-${index % 200}`,
      jti: `t-${index % 200}`,
      token_hash: undefined,
      time: NOON + index,
    }),
  );
  await store.write({ access_events: events });

  const shards = await onEachShard<{ sub: string; n: number }>(
    'SELECT sub, count() AS n FROM access_events_local GROUP BY sub',
  );
  const [first, second] = shards.map((rows) => new Set(rows.map(({ sub }) => sub)));
  expect(first!.size).toBeGreaterThan(50);
  expect(second!.size).toBeGreaterThan(50);
  expect(first!.size + second!.size).toBe(200);
  expect(shards.flat().every(({ n }) => n === 10)).toBe(true);

  expect(await onEachShard('SELECT count() AS n, uniqExact(sub) AS subjects FROM access_events')).toEqual([
    [{ n: 2_000, subjects: 200 }],
    [{ n: 2_000, subjects: 200 }],
  ]);
  expect(await store.query('SELECT count() AS tokens, sum(uses) AS uses FROM tokens')).toEqual([
    { tokens: 200, uses: 2_000 },
  ]);
});

test('what comes twice counts once, through the Distributed tables', async () => {
  const one = {
    access_events: [accessEvent('twice', { sub: 'twice', jti: 'twice' })],
    alerts: [sampleAlert('twice', { sub: undefined })],
    actions: [sampleAction('twice', { state: 'confirmed' })],
  };
  await store.write(one);
  await store.write({ ...one, alerts: [sampleAlert('twice', { sub: 'twice', updated: NOON + 1 })] });
  await store.write({ actions: [sampleAction('twice')] });
  const reads = createReads(store);
  expect(await store.query("SELECT count() AS n FROM access_events FINAL WHERE sub = 'twice'")).toEqual([
    { n: 1 },
  ]);
  expect(await reads.listAlerts({ limit: 10 })).toMatchObject([
    { alert_id: 'twice', sub: 'twice', updated: NOON + 1 },
  ]);
  expect(await reads.pendingActions()).toEqual([]);
  expect(await reads.getToken('twice')).toMatchObject({ uses: 1 });
});

test('a token whose issue lies on another shard than its uses is one token', async () => {
  await store.write({
    access_events: Array.from({ length: 20 }, (_, n) =>
      accessEvent(`split-${n}`, { sub: `s-${n}`, jti: `split-${n}` }),
    ),
    authorization_events: Array.from({ length: 20 }, (_, n) =>
      authorizationEvent(`split-issue-${n}`, { sub: undefined, client_id: `c-${n}`, jti: `split-${n}` }),
    ),
  });
  expect(
    await store.query(
      "SELECT count() AS n, countIf(issued_at IS NOT NULL AND uses = 1) AS whole FROM tokens WHERE token_id LIKE 'split-%'",
    ),
  ).toEqual([{ n: 20, whole: 20 }]);
});

test('every view answers on a cluster', async () => {
  await store.write({ findings: [sampleFinding('f-1')] });
  const views = await store.query<{ name: string }>(
    "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View'",
  );
  expect(views.length).toBeGreaterThan(8);
  for (const { name } of views) await store.query(`SELECT * FROM ${name} LIMIT 1`);
});

test('a shard that is not listed makes migrating fail', async () => {
  await expect(migrate({ ...cluster.config, shards: cluster.shards.slice(1) })).rejects.toMatchObject({
    code: 'ERR_MIGRATION',
    message: expect.stringContaining('2 shards, but store.shards lists 1') as unknown,
  });
  await expect(migrate({ ...cluster.config, cluster: 'nowhere' })).rejects.toMatchObject({
    code: 'ERR_MIGRATION',
  });
});
