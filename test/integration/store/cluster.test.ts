import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createClickHouse } from '../../../src/store/client.ts';
import { migrate } from '../../../src/store/migrate.ts';
import { openStore, type OpenedStore } from '../../../src/store/open.ts';
import { createReads } from '../../../src/store/reads.ts';
import { silent, startCluster } from '../../support/clickhouse.ts';
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

/** States of one partition as a checkpoint writes them, under the condition that its owner holds the claim. */
function checkpoint(partition: string, owner: string, keys: number, revision: number): Promise<number> {
  const encoder = new TextEncoder();
  const chunks = Array.from({ length: Math.ceil(keys / 10_000) }, (_, chunk) => {
    const first = chunk * 10_000;
    const lines = Array.from({ length: Math.min(10_000, keys - first) }, (__, index) =>
      JSON.stringify([partition, 'space', `k-${first + index}`, '{}', owner, revision]),
    );
    return encoder.encode(`${lines.join('\n')}\n`);
  });
  return store.insert(
    `INSERT INTO detector_state (partition, space, key, state, owner, revision, expires_at)
     SELECT *, now() + 3600
     FROM input('partition String, space String, key String, state String, owner String, revision UInt64')
     WHERE (partition, owner) IN (SELECT partition, argMax(owner, epoch) FROM partition_claims GROUP BY partition)
     FORMAT JSONCompactEachRow`,
    chunks,
  );
}
const claim = (partition: string, owner: string, epoch: number) =>
  store.insert('INSERT INTO partition_claims (partition, epoch, owner) FORMAT JSONCompactEachRow', [
    new TextEncoder().encode(JSON.stringify([partition, epoch, owner])),
  ]);

test('the states of a partition lie on one shard, those of many on both; only the owner writes', async () => {
  const partitions = Array.from({ length: 12 }, (_, index) => `group/${index}`);
  for (const partition of partitions) {
    await claim(partition, 'worker-1', 1);
    expect(await checkpoint(partition, 'worker-1', 50, 1)).toBeGreaterThan(0);
  }
  const shards = await onEachShard<{ partition: string; n: number }>(
    'SELECT partition, count() AS n FROM detector_state_local FINAL GROUP BY partition',
  );
  expect(shards.every((rows) => rows.length > 0)).toBe(true);
  expect(
    shards
      .flat()
      .map(({ partition, n }) => [partition, n])
      .sort(),
  ).toEqual(partitions.map((partition) => [partition, 50]).sort());

  await claim('group/0', 'worker-2', 2);
  expect(await checkpoint('group/0', 'worker-1', 50, 2)).toBe(0);
  expect(await checkpoint('group/0', 'worker-2', 1, 3)).toBeGreaterThan(0);
  expect(
    await store.query(
      "SELECT owner, count() AS n FROM detector_state FINAL WHERE partition = 'group/0' GROUP BY owner ORDER BY owner",
    ),
  ).toEqual([
    { owner: 'worker-1', n: 49 },
    { owner: 'worker-2', n: 1 },
  ]);
});

test('a checkpoint of more rows than ClickHouse puts into one block is one part: all of it or nothing', async () => {
  // By itself ClickHouse begins a second block, and with it a second part, after 1 048 449 rows.
  const keys = 1_400_000;
  await claim('large', 'worker-1', 1);
  await checkpoint('large', 'worker-1', keys, 1);
  const parts = await onEachShard<{ rows: number; blocks: number }>(
    `SELECT rows, toUInt32(max_block_number - min_block_number + 1) AS blocks FROM system.parts
     WHERE table = 'detector_state_local' AND rows >= ${keys - 1_048_449}`,
  );
  expect(parts.flat()).toContainEqual({ rows: keys, blocks: 1 });
});

test('a shard that is not listed makes migrating fail', async () => {
  await expect(migrate({ ...cluster.config, shards: cluster.shards.slice(1) })).rejects.toMatchObject({
    code: 'ERR_MIGRATION',
    message: expect.stringContaining('2 servers, but store.shards lists 1') as unknown,
  });
  await expect(migrate({ ...cluster.config, cluster: 'nowhere' })).rejects.toMatchObject({
    code: 'ERR_MIGRATION',
  });
});

test('what is asked of replicas is understood by servers that have none', async () => {
  const config = { ...cluster.config, replicated: true };
  const replicas = await openStore({ config, dataDir: '', log: silent, requireMigrated: false });
  await replicas.write({ access_events: [accessEvent('quorum', { sub: 'quorum' })] });
  await replicas.insert('INSERT INTO partition_claims (partition, epoch, owner) FORMAT JSONCompactEachRow', [
    new TextEncoder().encode('["quorum", 1, "worker-1"]'),
  ]);
  expect(
    await replicas.query(
      `SELECT owner, (SELECT count() FROM access_events FINAL WHERE sub = 'quorum') AS n
       FROM partition_claims FINAL WHERE partition = 'quorum'`,
    ),
  ).toEqual([{ owner: 'worker-1', n: 1 }]);
  await replicas.close();
});

test.each([0, 1])(
  'shard %i away: writes fail as unavailable and lose nothing; tried again, each row counts once',
  async (away) => {
    const sub = `away-${away}`;
    const events = Array.from({ length: 200 }, (_, index) =>
      accessEvent(`${sub}-${index}`, { sub: `${sub}-${index % 40}`, jti: `${sub}-${index}` }),
    );
    const count = () =>
      store.query(
        `SELECT count() AS events, uniqExact(sub) AS subjects,
           (SELECT sum(uses) FROM tokens WHERE startsWith(token_id, {sub:String})) AS uses
         FROM access_events FINAL WHERE startsWith(sub, {sub:String})`,
        { sub },
      );
    await store.write({ access_events: events.slice(0, 50) });
    await cluster.kill(away);
    await expect(store.write({ access_events: events })).rejects.toMatchObject({
      code: 'ERR_STORE_UNAVAILABLE',
      disposition: 'retry',
    });
    await expect(count()).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' });
    await cluster.restart(away);
    await vi.waitFor(() => store.write({ access_events: events }), { timeout: 30_000, interval: 100 });
    expect(await count()).toEqual([{ events: 200, subjects: 40, uses: 200 }]);
  },
);
