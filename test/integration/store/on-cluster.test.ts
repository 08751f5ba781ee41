import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createClickHouse, type ClickHouse } from '../../../src/store/client.ts';
import { migrate, migrationStatus, type MigrateConfig } from '../../../src/store/migrate.ts';
import { readMigrations } from '../../../src/store/migrations.ts';
import { openStore } from '../../../src/store/open.ts';
import { silent, startCluster } from '../../support/clickhouse.ts';
import { startDdlQueue } from './ddl-queue.ts';
import { accessEvent } from './samples.ts';

let cluster: Awaited<ReturnType<typeof startCluster>>;
let queue: Awaited<ReturnType<typeof startDdlQueue>>;
let config: MigrateConfig & typeof cluster.config;
let shards: ClickHouse[];

/** Every file that this version has. */
let files: string[];

beforeAll(async () => {
  cluster = await startCluster();
  queue = await startDdlQueue(cluster.shards, 'pair');
  config = { ...cluster.config, url: queue.url, shards: [], on_cluster: true };
  const { username, password } = config;
  shards = cluster.shards.map((url) => createClickHouse({ url, username, password: password!.reveal() }));
  files = (await readMigrations(config)).map(({ file }) => file);
});
beforeEach(async () => {
  for (const shard of shards) {
    await shard.command(`DROP DATABASE IF EXISTS ${config.database} SYNC`);
  }
  queue.queued.length = 0;
});
afterAll(async () => {
  for (const shard of shards) await shard.close();
  await queue.stop();
  await cluster.stop();
});

const onBoth = <T>(sql: string) => Promise.all(shards.map((shard) => shard.query<T>(sql)));
const recorded = () =>
  onBoth<{ file: string }>(`SELECT file FROM ${config.database}.schema_migrations ORDER BY file`);
const forget = (server: number, condition: string) =>
  shards[server]!.command(`ALTER TABLE ${config.database}.schema_migrations DELETE WHERE ${condition}`, {
    mutations_sync: '1',
  });

async function syntaxTree(statement: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of await shards[0]!.stream(`EXPLAIN AST ${statement}`, 'TabSeparated'))
    chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

test('ClickHouse understands every statement, replicated and for all servers at once', async () => {
  const statements = (await readMigrations({ ...config, replicated: true })).flatMap((migration) => [
    ...migration.statements,
  ]);
  expect(statements.length).toBeGreaterThan(60);
  for (const statement of statements) {
    expect(await syntaxTree(statement)).toMatch(/^(Create|Alter|Drop)Query token_recall /);
    const [row] = await shards[0]!.query<{ text: string }>('SELECT formatQuery({sql:String}) AS text', {
      sql: statement,
    });
    expect(row!.text).toMatch(/^[A-Z ]+ \S+ ON CLUSTER `?pair`?\b/);
    if (statement.includes('ENGINE = Replicated'))
      expect(row!.text).toMatch(
        /ENGINE = Replicated\w+\('\/clickhouse\/tables\/\{shard\}\/\w+\/\w+_local', '\{replica\}'/,
      );
  }
});

test('through one server, all get everything, and each has the record of it', async () => {
  const before = await migrationStatus(config);
  expect(before.map(({ applied, pending }) => [applied, pending])).toEqual([
    [[], files],
    [[], files],
  ]);
  expect(new Set(before.map(({ server }) => server)).size).toBe(2);

  const applied: [string, string][] = [];
  expect(await migrate(config, (server, file) => applied.push([server, file]))).toEqual(before);
  expect(applied).toEqual(files.map((file) => ['cluster pair', file]));
  expect(await recorded()).toEqual([files.map((file) => ({ file })), files.map((file) => ({ file }))]);
  expect((await migrationStatus(config)).map(({ pending }) => pending)).toEqual([[], []]);
  // Told one by one instead, the servers agree that nothing is missing.
  expect((await migrationStatus(cluster.config)).map(({ pending }) => pending)).toEqual([[], []]);

  queue.queued.length = 0;
  await migrate(config, () => expect.unreachable());
  expect(queue.queued).toEqual([]);
});

test('a server that lacks a migration is seen, by workers as well, and nothing is applied twice', async () => {
  await migrate(config);
  await forget(1, "file = '0003_tokens.sql'");
  const status = await migrationStatus(config);
  expect(status.map(({ pending }) => pending).sort()).toEqual([[], ['0003_tokens.sql']]);
  const { server } = status.find(({ pending }) => pending.length > 0)!;
  await expect(openStore({ config, dataDir: '', log: silent })).rejects.toMatchObject({
    code: 'ERR_MIGRATION',
    message: expect.stringContaining(`${server} lacks 0003_tokens.sql`) as unknown,
  });
  queue.queued.length = 0;
  await expect(migrate(config)).rejects.toMatchObject({
    code: 'ERR_MIGRATION',
    message: expect.stringContaining('it is a new one') as unknown,
  });
  expect(queue.queued).toEqual([]);
});

test('a server without any table is a new one', async () => {
  await migrate(config);
  await shards[1]!.command(`DROP DATABASE ${config.database} SYNC`);
  expect((await migrationStatus(config)).map(({ pending }) => pending.length).sort()).toEqual([
    0,
    files.length,
  ]);
  await expect(migrate(config)).rejects.toMatchObject({ code: 'ERR_MIGRATION' });
});

test('a run that broke off before the last record is completed without touching the tables', async () => {
  await migrate(config);
  const latest = files.findLast((file) => !file.startsWith('repeat_'))!;
  await shards[0]!.command(
    `INSERT INTO ${config.database}.detector_state_local (partition, key, expires_at) VALUES ('p', 'k', now() + 3600)`,
  );
  await forget(1, `file = '${latest}'`);
  queue.queued.length = 0;
  const applied: string[] = [];
  await migrate(config, (_, file) => applied.push(file));
  expect(applied).toEqual([latest]);
  expect(queue.queued).toEqual([]);
  expect((await migrationStatus(config)).map(({ pending }) => pending)).toEqual([[], []]);
  expect(await shards[0]!.query(`SELECT key FROM ${config.database}.detector_state_local`)).toEqual([
    { key: 'k' },
  ]);
});

test('with a server away, status and migrating fail; a worker starts', async () => {
  await migrate(config);
  await cluster.kill(1);
  for (const attempt of [migrationStatus, migrate])
    await expect(attempt(config)).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' });
  const store = await openStore({ config, dataDir: '', log: silent });
  await cluster.restart(1);
  await store.write({ access_events: [accessEvent('one'), accessEvent('two', { sub: 'user-2' })] });
  expect(await store.query('SELECT count() AS n FROM access_events')).toEqual([{ n: 2 }]);
  await store.close();
});

test('an unknown cluster is named', async () => {
  await expect(migrate({ ...config, cluster: 'nowhere' })).rejects.toMatchObject({
    code: 'ERR_MIGRATION',
    message: expect.stringContaining('knows no cluster nowhere') as unknown,
  });
});
