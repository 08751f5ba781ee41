import { RecallError } from '../errors.ts';
import type { ClickHouse } from './client.ts';
import type { Migration } from './migrations.ts';

/** One row of `schema_migrations`: a file applied to a server, with the checksum it had. */
export interface AppliedRow {
  readonly file: string;
  readonly checksum: string;
}

/** A server of a cluster, `host:port` of its native protocol as it knows itself, and what was applied to it. */
export interface ClusterServer {
  readonly address: string;
  readonly rows: readonly AppliedRow[];
}

const SERVER = "concat(hostName(), ':', toString(tcpPort()))";

/**
 * How many servers a cluster has, replicas of one shard counted each.
 *
 * @throws RecallError ERR_MIGRATION where `server` knows no such cluster
 */
export async function clusterSize(server: ClickHouse, cluster: string): Promise<number> {
  const [row] = await server.query<{ servers: number }>(
    'SELECT count() AS servers FROM system.clusters WHERE cluster = {cluster:String}',
    { cluster },
  );
  const servers = row?.servers ?? 0;
  if (servers > 0) return servers;
  throw new RecallError(
    'ERR_MIGRATION',
    `${server.address} knows no cluster ${cluster} (store.cluster; remote_servers there)`,
  );
}

/**
 * What was applied to each server of the cluster, asked through one of them.
 *
 * @param reachable leaves out servers that do not answer, instead of failing
 * @throws RecallError ERR_STORE_UNAVAILABLE, ERR_STORE_REFUSED
 */
export async function appliedOnCluster(
  through: ClickHouse,
  cluster: string,
  database: string,
  reachable: boolean,
): Promise<ClusterServer[]> {
  const servers = await through.query<{ address: string; there: number }>(
    `SELECT ${SERVER} AS address, countIf(database = {database:String} AND name = 'schema_migrations') AS there
     FROM clusterAllReplicas('${cluster}', system.tables) GROUP BY address ORDER BY address
     SETTINGS skip_unavailable_shards = ${reachable ? 1 : 0}`,
    { database },
  );
  if (servers.every(({ there }) => there === 0)) return servers.map(({ address }) => ({ address, rows: [] }));
  const applied = await through.query<AppliedRow & { address: string }>(
    // A server without the table counts as unavailable; whether all are there was asked above.
    `SELECT ${SERVER} AS address, file, checksum
     FROM clusterAllReplicas('${cluster}', ${database}.schema_migrations) FINAL
     ORDER BY file SETTINGS skip_unavailable_shards = 1`,
  );
  return servers.map(({ address }) => ({
    address,
    rows: applied.filter((row) => row.address === address).map(({ file, checksum }) => ({ file, checksum })),
  }));
}

/** Records a file as applied on each server of the cluster. */
export async function recordOnCluster(
  through: ClickHouse,
  cluster: string,
  database: string,
  { file, checksum }: AppliedRow,
): Promise<void> {
  const servers = await clusterSize(through, cluster);
  await through.command(
    // The last argument says which server a row goes to (its remainder by their number): as many moments as there
    // are servers, one after the other, is one row each. INSERT knows no ON CLUSTER.
    `INSERT INTO FUNCTION clusterAllReplicas('${cluster}', ${database}, schema_migrations, toUnixTimestamp64Milli(applied_at))
       (file, checksum, applied_at)
     SELECT '${file}', '${checksum}', addMilliseconds(now64(3, 'UTC'), number) FROM numbers(${servers})`,
    { distributed_foreground_insert: 1 },
  );
}

/**
 * What to do for a cluster as a whole. A file that only some servers have is applied nowhere again: not every
 * statement leaves a table with rows as it was. Of the latest one only the record is missing, since a file is
 * recorded when all servers have carried it out; any other makes a server a new one.
 *
 * @returns files in order; `run` where the statements are to be carried out, not only the record made
 * @throws RecallError ERR_MIGRATION where a server is new
 */
export function clusterSteps(
  migrations: readonly Migration[],
  servers: readonly { server: string; pending: readonly string[] }[],
): { migration: Migration; run: boolean }[] {
  const lacks = ({ file }: Migration) => servers.filter(({ pending }) => pending.includes(file));
  const numbered = migrations.filter(({ repeatable }) => !repeatable);
  const latest = numbered.findLast((migration) => lacks(migration).length < servers.length);
  return migrations.flatMap((migration) => {
    const [lacking, ...others] = lacks(migration);
    if (lacking === undefined) return [];
    const nowhere = others.length + 1 === servers.length;
    if (nowhere || migration.repeatable || migration === latest)
      return [{ migration, run: nowhere || migration.repeatable }];
    throw new RecallError(
      'ERR_MIGRATION',
      `${lacking.server} lacks ${migration.file}, which other servers of the cluster have: it is a new one. ` +
        'Create its tables from theirs, as docs/scaling.md describes under "Replicas"',
    );
  });
}
