import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RecallError } from '../errors.ts';
import { packageRoot } from '../package.ts';
import type { StoreConfig } from '../../schemas/config.ts';

/** One file of schemas/clickhouse, with the configuration filled in. */
export interface Migration {
  readonly file: string;
  /** Applied again whenever it or the configuration changed. */
  readonly repeatable: boolean;
  /** With `store.on_cluster`, each for all servers of the cluster at once. */
  readonly statements: readonly string[];
  /** SHA-256 of the statements, whichever way they reach the servers. */
  readonly checksum: string;
}

export type MigrationConfig = Pick<
  StoreConfig,
  'database' | 'cluster' | 'on_cluster' | 'replicated' | 'retention'
>;

/** ClickHouse keeps the moment a part expires in 32 bits (until 2106); past it, rows would expire at once. */
const LONGEST_RETENTION_S = 50 * 365 * 86_400;

/** Holds what was applied; first of all files, and applied before anything is asked. */
export const FIRST_FILE = '0000_schema_migrations.sql';

/** Reads all migrations, in the order in which they are applied: by number, repeatable ones last. */
export async function readMigrations(config: MigrationConfig): Promise<Migration[]> {
  const folder = join(packageRoot(), 'schemas', 'clickhouse');
  const files = (await readdir(folder)).filter((file) => file.endsWith('.sql')).sort();
  return await Promise.all(
    files.map(async (file) => {
      const statements = renderMigration(file, await readFile(join(folder, file), 'utf8'), config);
      const checksum = createHash('sha256').update(statements.join('\n')).digest('hex');
      return {
        file,
        repeatable: file.startsWith('repeat_'),
        statements: config.on_cluster ? statements.map((text) => onCluster(file, text, config)) : statements,
        checksum,
      };
    }),
  );
}

/**
 * Statements of a migration file, for one server. The template syntax is described at the top of {@link FIRST_FILE}.
 *
 * @throws RecallError ERR_MIGRATION on a placeholder it does not know, and on a table that cannot be replicated
 */
export function renderMigration(file: string, text: string, config: MigrationConfig): string[] {
  const seconds = (ms: number) => String(Math.min(Math.ceil(ms / 1000), LONGEST_RETENTION_S));
  const values: Record<string, string> = {
    database: config.database,
    cluster: config.cluster ?? '',
    'retention.events': seconds(config.retention.events),
    'retention.alerts': seconds(config.retention.alerts),
    'retention.dead_letters': seconds(config.retention.dead_letters),
  };
  const local = (name: string) => (config.cluster === undefined ? name : `${name}_local`);
  const fill = (placeholder: string, name: string): string => {
    if (name.startsWith('local:')) return local(name.slice('local:'.length));
    const value = values[name];
    if (value === undefined)
      throw new RecallError('ERR_MIGRATION', `${file}: unknown placeholder ${placeholder}`);
    return value;
  };
  const render = (part: string): string => {
    const statement = part.replace(/^-- @cluster\s*/, '');
    const [, table] = LOCAL_TABLE.exec(statement) ?? [];
    const engine =
      config.replicated && table !== undefined
        ? replicatedEngine(file, statement, `${config.database}/${local(table)}`)
        : statement;
    return engine.replaceAll(/\{\{([^}]*)\}\}/g, fill);
  };
  return text
    .split(/;[ \t]*$/m)
    .map(withoutComments)
    .filter((part) => part !== '' && (config.cluster !== undefined || !part.startsWith('-- @cluster')))
    .map(render);
}

/** A statement that creates a table of rows. `schema_migrations` is none: each server keeps its own. */
const LOCAL_TABLE = /^CREATE TABLE IF NOT EXISTS \{\{database\}\}\.\{\{local:(\w+)\}\}/;

/**
 * The statement with the engine that replicates: `Replacing…(version)` becomes `ReplicatedReplacing…(path in Keeper,
 * name of the replica, version)`. {shard} and {replica} are macros of the servers.
 */
function replicatedEngine(file: string, statement: string, table: string): string {
  const path = `'/clickhouse/tables/{shard}/${table}', '{replica}'`;
  const replicated = statement.replace(
    /^ENGINE = (\w*MergeTree)(?:\(([^()]*)\))?$/m,
    (_, engine: string, options = '') =>
      `ENGINE = Replicated${engine}(${options === '' ? path : `${path}, ${options}`})`,
  );
  if (replicated === statement)
    throw new RecallError('ERR_MIGRATION', `${file}: no engine of ${table} that could be replicated`);
  return replicated;
}

/** What a statement of a migration begins with: the kind, and the name behind which ON CLUSTER belongs. */
const DDL =
  /^(?:CREATE (?:DATABASE|TABLE|VIEW|MATERIALIZED VIEW) IF NOT EXISTS|ALTER TABLE|DROP (?:TABLE|VIEW) IF EXISTS) [\w.]+/;

/**
 * The statement for all servers of the cluster: ClickHouse's DDL queue hands it to each, and it ends when all are done.
 *
 * @throws RecallError ERR_MIGRATION on a kind of statement that is not known to take ON CLUSTER
 */
export function onCluster(
  file: string,
  statement: string,
  { cluster }: Pick<StoreConfig, 'cluster'>,
): string {
  const [beginning] = DDL.exec(statement) ?? [];
  if (beginning === undefined || cluster === undefined)
    throw new RecallError('ERR_MIGRATION', `${file}: not for ON CLUSTER: ${statement.slice(0, 80)}`);
  return `${beginning} ON CLUSTER '${cluster}'${statement.slice(beginning.length)}`;
}

/** Drops whole-line comments but `-- @…`, and empty lines, so that a statement begins with what it is. */
function withoutComments(part: string): string {
  return part
    .split('\n')
    .filter((line) => !/^\s*(--(?! @).*)?$/.test(line))
    .join('\n');
}
