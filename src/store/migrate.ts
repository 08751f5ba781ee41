import { RecallError, messageOf } from '../errors.ts';
import type { StoreConfig } from '../../schemas/config.ts';
import { createClickHouse, type ClickHouse } from './client.ts';
import { FIRST_FILE, readMigrations, type Migration } from './migrations.ts';

export interface MigrationStatus {
  /** Address of the server, without credentials. */
  readonly server: string;
  /** Files applied to it. */
  readonly applied: readonly string[];
  /** Files it lacks, in order. */
  readonly pending: readonly string[];
}

/** What migrations need to know; `url` and `shards` are where they are applied. */
export type MigrateConfig = Pick<
  StoreConfig,
  'url' | 'shards' | 'database' | 'username' | 'password' | 'cluster' | 'retention'
>;

/**
 * Applies what each server lacks: the server of `store.url`, or on a cluster every shard of `store.shards`.
 * Every statement can be repeated, so that a run that broke off is continued by the next one.
 *
 * @param onApplied is told of each file as it has been applied
 * @returns the status of each server before
 * @throws RecallError ERR_MIGRATION, ERR_STORE_UNAVAILABLE, ERR_STORE_REFUSED
 */
export async function migrate(
  config: MigrateConfig,
  onApplied: (server: string, file: string) => void = () => undefined,
): Promise<MigrationStatus[]> {
  const migrations = await readMigrations(config);
  return await onEachServer(config, async (server) => {
    const before = await statusOf(server, config.database, migrations);
    // Shards one after the other: where the first fails, the others stay as they are.
    for (const migration of migrations.filter(({ file }) => before.pending.includes(file))) {
      await apply(server, config.database, migration);
      onApplied(server.address, migration.file);
    }
    return before;
  });
}

/**
 * What is applied and what is pending, on each server that {@link migrate} would go to. Changes nothing.
 *
 * @throws RecallError ERR_MIGRATION, ERR_STORE_UNAVAILABLE, ERR_STORE_REFUSED
 */
export async function migrationStatus(config: MigrateConfig): Promise<MigrationStatus[]> {
  const migrations = await readMigrations(config);
  return await onEachServer(config, (server) => statusOf(server, config.database, migrations));
}

async function onEachServer<T>(
  config: MigrateConfig,
  work: (server: ClickHouse) => Promise<T>,
): Promise<T[]> {
  if (config.url === undefined) throw new RecallError('ERR_MIGRATION', 'store.url is not set');
  const urls = config.cluster === undefined ? [config.url] : config.shards;
  const servers = urls.map((url) =>
    createClickHouse({ url, username: config.username, password: config.password?.reveal() ?? '' }),
  );
  try {
    const [first] = servers;
    if (config.cluster !== undefined) await requireAllShards(first, config.cluster, servers.length);
    const answers: T[] = [];
    for (const server of servers) answers.push(await work(server));
    return answers;
  } finally {
    await Promise.all(servers.map((server) => server.close()));
  }
}

async function requireAllShards(server: ClickHouse | undefined, cluster: string, listed: number) {
  if (server === undefined)
    throw new RecallError(
      'ERR_MIGRATION',
      'store.cluster is set: list the URL of each shard in store.shards',
    );
  const [row] = await server.query<{ shards: number }>(
    'SELECT uniqExact(shard_num) AS shards FROM system.clusters WHERE cluster = {cluster:String}',
    { cluster },
  );
  const shards = row?.shards ?? 0;
  if (shards === listed) return;
  throw new RecallError(
    'ERR_MIGRATION',
    shards === 0
      ? `${server.address} knows no cluster ${cluster} (store.cluster; remote_servers there)`
      : `cluster ${cluster} has ${shards} shards, but store.shards lists ${listed}`,
  );
}

async function statusOf(
  server: ClickHouse,
  database: string,
  migrations: readonly Migration[],
): Promise<MigrationStatus> {
  const rows = await appliedRows(server, database);
  const checksums = new Map(rows.map(({ file, checksum }) => [file, checksum]));
  const unknown = rows.find(({ file }) => migrations.every((migration) => migration.file !== file));
  if (unknown !== undefined)
    throw new RecallError(
      'ERR_MIGRATION',
      `${server.address}: database ${database} has ${unknown.file}, which this version does not know. ` +
        'It was migrated by a newer version: upgrade this one',
    );
  const changed = migrations.find(
    ({ file, repeatable, checksum }) => !repeatable && (checksums.get(file) ?? checksum) !== checksum,
  );
  if (changed !== undefined)
    throw new RecallError(
      'ERR_MIGRATION',
      `${server.address}: ${changed.file} is not what was applied to database ${database}. ` +
        'Migrations are never changed, and a database does not change between single server and cluster',
    );
  return {
    server: server.address,
    applied: rows.map(({ file }) => file),
    pending: migrations
      .filter(({ file, checksum }) => checksums.get(file) !== checksum)
      .map(({ file }) => file),
  };
}

async function appliedRows(server: ClickHouse, database: string) {
  const [row] = await server.query<{ there: number }>(
    "SELECT count() AS there FROM system.tables WHERE database = {database:String} AND name = 'schema_migrations'",
    { database },
  );
  if ((row?.there ?? 0) === 0) return [];
  return await server.query<{ file: string; checksum: string }>(
    `SELECT file, checksum FROM ${database}.schema_migrations FINAL ORDER BY file`,
  );
}

async function apply(server: ClickHouse, database: string, { file, statements, checksum }: Migration) {
  try {
    if (file === FIRST_FILE)
      await server.command(`CREATE DATABASE IF NOT EXISTS ${database} ENGINE = Atomic`);
    for (const statement of statements) await server.command(statement);
    await server.command(
      `INSERT INTO ${database}.schema_migrations (file, checksum) VALUES ('${file}', '${checksum}')`,
    );
  } catch (error) {
    if (error instanceof RecallError && error.code === 'ERR_STORE_UNAVAILABLE') throw error;
    throw new RecallError('ERR_MIGRATION', `${file}: ${messageOf(error)}`, { cause: error });
  }
}
