import type { ClickHouseSettings } from '@clickhouse/client';
import { RecallError, messageOf } from '../errors.ts';
import type { StoreConfig } from '../../schemas/config.ts';
import { createClickHouse, type ClickHouse } from './client.ts';
import {
  appliedOnCluster,
  clusterSize,
  clusterSteps,
  recordOnCluster,
  type AppliedRow,
  type ClusterServer,
} from './cluster.ts';
import { FIRST_FILE, onCluster, readMigrations, type Migration, type MigrationConfig } from './migrations.ts';

/** Shorter than a request may be silent, so that it is ClickHouse that says which servers have not answered. */
const DDL_QUEUE: ClickHouseSettings = {
  distributed_ddl_task_timeout: '50',
  distributed_ddl_output_mode: 'throw',
};

export interface MigrationStatus {
  /** Address of the server, without credentials. */
  readonly server: string;
  /** Files applied to it. */
  readonly applied: readonly string[];
  /** Files it lacks, in order. */
  readonly pending: readonly string[];
}

/** What migrations need to know; `url` and `shards`, or `url` and `cluster`, are where they are applied. */
export type MigrateConfig = Pick<StoreConfig, 'url' | 'shards' | 'username' | 'password'> & MigrationConfig;

/**
 * Applies what each server lacks: the server of `store.url`, on a cluster every server of `store.shards`, or with
 * `store.on_cluster` all servers of the cluster at once, through `store.url`.
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
  if (config.on_cluster)
    return await throughOne(config, async (server, cluster) => {
      const before = await clusterStatus(server, cluster, config.database, migrations);
      for (const { migration, run } of clusterSteps(migrations, before)) {
        await apply(server, config, run ? migration : { ...migration, statements: [] }, () =>
          recordOnCluster(server, cluster, config.database, migration),
        );
        onApplied(`cluster ${cluster}`, migration.file);
      }
      const after = await clusterStatus(server, cluster, config.database, migrations);
      const lacking = after.find(({ pending }) => pending.length > 0);
      if (lacking === undefined) return before;
      throw new RecallError(
        'ERR_MIGRATION',
        `${lacking.server} has no record of ${lacking.pending.join(', ')} after migrating. ` +
          `Is each server listed in cluster ${cluster} once?`,
      );
    });
  return await onEachServer(config, async (server) => {
    const before = await serverStatus(server, config.database, migrations);
    // Servers one after the other: where the first fails, the others stay as they are.
    for (const migration of migrations.filter(({ file }) => before.pending.includes(file))) {
      const { file, checksum } = migration;
      await apply(server, config, migration, () =>
        server.command(
          `INSERT INTO ${config.database}.schema_migrations (file, checksum) VALUES ('${file}', '${checksum}')`,
        ),
      );
      onApplied(server.address, file);
    }
    return before;
  });
}

/**
 * What is applied and what is pending, on each server that {@link migrate} would reach. Changes nothing.
 *
 * @param options.reachable leaves out servers of a cluster with `on_cluster` that do not answer, instead of failing:
 *   a replica that is away must not keep a worker from starting
 * @throws RecallError ERR_MIGRATION, ERR_STORE_UNAVAILABLE, ERR_STORE_REFUSED
 */
export async function migrationStatus(
  config: MigrateConfig,
  { reachable = false }: { reachable?: boolean } = {},
): Promise<MigrationStatus[]> {
  const migrations = await readMigrations(config);
  return config.on_cluster
    ? await throughOne(config, (server, cluster) =>
        clusterStatus(server, cluster, config.database, migrations, reachable),
      )
    : await onEachServer(config, (server) => serverStatus(server, config.database, migrations));
}

/** Does `work` with a connection to the one server that speaks for its cluster. */
async function throughOne<T>(
  { url, cluster, username, password }: MigrateConfig,
  work: (server: ClickHouse, cluster: string) => Promise<T>,
): Promise<T> {
  if (url === undefined || cluster === undefined)
    throw new RecallError('ERR_MIGRATION', 'store.on_cluster needs store.url and store.cluster');
  const server = createClickHouse({ url, username, password: password?.reveal() ?? '' });
  try {
    await clusterSize(server, cluster);
    return await work(server, cluster);
  } finally {
    await server.close();
  }
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
    if (config.cluster !== undefined) await requireAllServers(first, config.cluster, servers.length);
    const answers: T[] = [];
    for (const server of servers) answers.push(await work(server));
    return answers;
  } finally {
    await Promise.all(servers.map((server) => server.close()));
  }
}

async function requireAllServers(server: ClickHouse | undefined, cluster: string, listed: number) {
  if (server === undefined)
    throw new RecallError(
      'ERR_MIGRATION',
      'store.cluster is set: list the URL of each of its servers in store.shards, or set store.on_cluster',
    );
  const servers = await clusterSize(server, cluster);
  if (servers === listed) return;
  throw new RecallError(
    'ERR_MIGRATION',
    `cluster ${cluster} has ${servers} servers, but store.shards lists ${listed}`,
  );
}

async function serverStatus(
  server: ClickHouse,
  database: string,
  migrations: readonly Migration[],
): Promise<MigrationStatus> {
  return statusOf(
    { address: server.address, rows: await appliedRows(server, database) },
    database,
    migrations,
  );
}

async function clusterStatus(
  server: ClickHouse,
  cluster: string,
  database: string,
  migrations: readonly Migration[],
  reachable = false,
): Promise<MigrationStatus[]> {
  const servers = await appliedOnCluster(server, cluster, database, reachable);
  return servers.map((one) => statusOf(one, database, migrations));
}

function statusOf(
  { address, rows }: ClusterServer,
  database: string,
  migrations: readonly Migration[],
): MigrationStatus {
  const checksums = new Map(rows.map(({ file, checksum }) => [file, checksum]));
  const unknown = rows.find(({ file }) => migrations.every((migration) => migration.file !== file));
  if (unknown !== undefined)
    throw new RecallError(
      'ERR_MIGRATION',
      `${address}: database ${database} has ${unknown.file}, which this version does not know. ` +
        'It was migrated by a newer version: upgrade this one',
    );
  const changed = migrations.find(
    ({ file, repeatable, checksum }) => !repeatable && (checksums.get(file) ?? checksum) !== checksum,
  );
  if (changed !== undefined)
    throw new RecallError(
      'ERR_MIGRATION',
      `${address}: ${changed.file} is not what was applied to database ${database}. Migrations are never ` +
        'changed, and a database does not change between single server, cluster and replicated cluster',
    );
  return {
    server: address,
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
  return await server.query<AppliedRow>(
    `SELECT file, checksum FROM ${database}.schema_migrations FINAL ORDER BY file`,
  );
}

async function apply(
  server: ClickHouse,
  { database, cluster, on_cluster }: MigrateConfig,
  { file, statements }: Migration,
  record: () => Promise<void>,
): Promise<void> {
  const create = `CREATE DATABASE IF NOT EXISTS ${database} ENGINE = Atomic`;
  const first = on_cluster ? onCluster(file, create, { cluster }) : create;
  try {
    for (const statement of file === FIRST_FILE ? [first, ...statements] : statements)
      await server.command(statement, on_cluster ? DDL_QUEUE : undefined);
    await record();
  } catch (error) {
    if (error instanceof RecallError && error.code === 'ERR_STORE_UNAVAILABLE') throw error;
    throw new RecallError('ERR_MIGRATION', `${file}: ${messageOf(error)}`, { cause: error });
  }
}
