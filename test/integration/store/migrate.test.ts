import { afterAll, beforeAll, expect, test } from 'vitest';
import { createClickHouse, type ClickHouse } from '../../../src/store/client.ts';
import { migrate, migrationStatus } from '../../../src/store/migrate.ts';
import { startClickHouse, type TestClickHouse } from '../../support/clickhouse.ts';

let clickhouse: TestClickHouse;
let client: ClickHouse;
let database: string;

beforeAll(async () => {
  clickhouse = await startClickHouse();
  const { url = '', username, password } = clickhouse.config;
  database = clickhouse.config.database;
  client = createClickHouse({ url, username, password: password!.reveal(), database });
});
afterAll(async () => {
  await client.close();
  await clickhouse.stop();
});

const createQuery = async (table: string) => {
  const [row] = await client.query<{ create_table_query: string }>(
    'SELECT create_table_query FROM system.tables WHERE database = {database:String} AND name = {table:String}',
    { database, table },
  );
  return row!.create_table_query;
};

test('every table, view and column has a comment', async () => {
  const tables = await client.query<{ name: string; comment: string }>(
    'SELECT name, comment FROM system.tables WHERE database = {database:String}',
    { database },
  );
  expect(tables.map(({ name }) => name)).toEqual(
    expect.arrayContaining([
      ...[
        'access_events',
        'authorization_events',
        'findings',
        'alerts',
        'alert_reviews',
        'actions',
        'tokens',
      ],
      ...['token_custody', 'detector_state', 'dead_letters', 'audit_log', 'schema_migrations'],
    ]),
  );
  expect(tables.filter(({ comment }) => comment === '')).toEqual([]);
  const columns = await client.query(
    "SELECT table, name FROM system.columns WHERE database = {database:String} AND comment = ''",
    { database },
  );
  expect(columns).toEqual([]);
});

test('no column is named after a raw token', async () => {
  const columns = await client.query(
    `SELECT table, name FROM system.columns
     WHERE database = {database:String} AND name IN ('token', 'access_token', 'refresh_token')`,
    { database },
  );
  expect(columns).toEqual([]);
});

test('applied once, a second run has nothing to do', async () => {
  const [status] = await migrationStatus(clickhouse.config);
  expect(status?.pending).toEqual([]);
  expect(status?.applied).toContain('0001_events.sql');
  const applied: string[] = [];
  await migrate(clickhouse.config, (_server, file) => applied.push(file));
  expect(applied).toEqual([]);
});

test('every statement can be repeated: a run that broke off is continued', async () => {
  await client.command('TRUNCATE TABLE schema_migrations');
  const applied: string[] = [];
  await migrate(clickhouse.config, (_server, file) => applied.push(file));
  expect(applied).toHaveLength((await migrationStatus(clickhouse.config))[0]!.applied.length);
});

test('a changed retention is pending until migrated, then changes the TTL and drops what is too old', async () => {
  const { config } = clickhouse;
  const shorter = { ...config, retention: { ...config.retention, events: 30 * 86_400_000 } };
  expect((await migrationStatus(shorter))[0]?.pending).toEqual(['repeat_retention.sql']);
  await expect(clickhouse.open({ retention: shorter.retention })).rejects.toMatchObject({
    code: 'ERR_MIGRATION',
  });

  await client.command(
    `INSERT INTO authorization_events (event_id, time, type, received_at) VALUES
     ('old', now() - INTERVAL 31 DAY, 'token_issued', now() - INTERVAL 31 DAY),
     ('old log, loaded today', now() - INTERVAL 900 DAY, 'token_issued', now())`,
  );
  await migrate(shorter);
  expect(await createQuery('authorization_events')).toContain('toIntervalSecond(2592000)');
  await expect
    .poll(
      async () => {
        await client.command('OPTIMIZE TABLE authorization_events FINAL');
        return await client.query('SELECT event_id FROM authorization_events');
      },
      { timeout: 30_000 },
    )
    .toEqual([{ event_id: 'old log, loaded today' }]);
  expect((await migrationStatus(shorter))[0]?.pending).toEqual([]);
});

test('a database that lacks migrations is refused, naming the command', async () => {
  await expect(clickhouse.open({ database: `${database}_empty` })).rejects.toMatchObject({
    code: 'ERR_MIGRATION',
    message: expect.stringMatching(/lacks 0000_schema_migrations\.sql.*token-recall migrate/) as unknown,
  });
});

test('a migration changed after it was applied, or unknown to this version, is refused', async () => {
  const record = (file: string) =>
    client.command(`INSERT INTO schema_migrations (file, checksum) VALUES ('${file}', 'other')`);
  await record('0001_events.sql');
  await expect(migrate(clickhouse.config)).rejects.toMatchObject({
    code: 'ERR_MIGRATION',
    message: expect.stringContaining('0001_events.sql') as unknown,
  });
  await client.command('TRUNCATE TABLE schema_migrations');
  await migrate(clickhouse.config);
  await record('9999_from_the_future.sql');
  await expect(migrationStatus(clickhouse.config)).rejects.toMatchObject({
    code: 'ERR_MIGRATION',
    message: expect.stringContaining('newer version') as unknown,
  });
});
