import type { Secret } from '../../schemas/secret.ts';
import { secret } from '../../schemas/secret.ts';
import type { StoreConfig } from '../../schemas/config.ts';
import { RecallError } from '../errors.ts';
import type { Logger } from '../telemetry/log.ts';
import { createClickHouse } from './client.ts';
import { keepEmbedded } from './embedded/keep.ts';
import { migrate, migrationStatus } from './migrate.ts';
import type { Store } from './port.ts';
import { rowsByTable } from './rows.ts';
import { createWriter } from './writer.ts';

export interface OpenStoreOptions {
  config: StoreConfig;
  /** Directory of the product; the embedded ClickHouse lies under it. */
  dataDir: string;
  log: Logger;
  /** Whether to refuse a server that lacks migrations. Default: true. */
  requireMigrated?: boolean | undefined;
}

/** Where SQL can be asked. */
export interface StoreEndpoint {
  /** HTTP(S) URL, without credentials. */
  readonly url: string;
  readonly tcp?: { readonly host: string; readonly port: number } | undefined;
  /** The read-only user; embedded only. */
  readonly analyst?: { readonly username: string; readonly password: Secret } | undefined;
  readonly embedded: boolean;
}

export type OpenedStore = Store & { readonly endpoint: StoreEndpoint };

const INSERT_SETTINGS = {
  async_insert: 0,
  // On a cluster: acknowledged when the shards have the rows, not when they are queued for them.
  distributed_foreground_insert: 1,
  // A log may span many months; the limit is meant for tables partitioned too finely.
  max_partitions_per_insert_block: '0',
  // A user agent may hold half a surrogate pair; it is stored as it came.
  input_format_json_throw_on_bad_escape_sequence: 0,
  // Where a retry finds the rows in the table but not yet in its views, it completes the views.
  deduplicate_blocks_in_dependent_materialized_views: 1,
} as const;

/**
 * Opens the store of the configuration: the embedded ClickHouse, started and migrated here, where `url` is absent;
 * else that server, or cluster, which `token-recall migrate` must have prepared.
 *
 * @throws RecallError ERR_STORE_EMBEDDED, ERR_STORE_UNAVAILABLE, ERR_STORE_REFUSED, ERR_MIGRATION
 */
export async function openStore(options: OpenStoreOptions): Promise<OpenedStore> {
  const { config } = options;
  if (config.url !== undefined) {
    if (options.requireMigrated ?? true) await requireMigrations(config);
    return connect(config, config.url, { embedded: false });
  }
  const engine = await keepEmbedded(
    {
      dataDir: options.dataDir,
      database: config.database,
      httpPort: config.http_port,
      tcpPort: config.tcp_port,
    },
    options.log,
  );
  const { endpoint, credentials } = engine;
  const { username, password } = credentials.writer;
  const own: StoreConfig = {
    ...config,
    url: endpoint.url,
    cluster: undefined,
    username,
    password: secret(password),
  };
  try {
    await migrate(own);
  } catch (error) {
    await engine.stop();
    throw error;
  }
  const { analyst } = credentials;
  const store = connect(own, endpoint.url, {
    tcp: endpoint.tcp,
    analyst: { username: analyst.username, password: secret(analyst.password) },
    embedded: true,
  });
  return {
    ...store,
    async close() {
      await store.close();
      await engine.stop();
    },
  };
}

async function requireMigrations(config: StoreConfig): Promise<void> {
  for (const { server, pending } of await migrationStatus(config)) {
    if (pending.length === 0) continue;
    throw new RecallError(
      'ERR_MIGRATION',
      `database ${config.database} at ${server} lacks ${pending.join(', ')}: run \`token-recall migrate --config FILE\``,
    );
  }
}

function connect(config: StoreConfig, url: string, about: Omit<StoreEndpoint, 'url'>): OpenedStore {
  const client = createClickHouse({
    url,
    username: config.username,
    password: config.password?.reveal() ?? '',
    database: config.database,
  });
  const writer = createWriter({
    // Bytes as they are. client.insert encodes an array in one go on the event loop, and what it encoded is lost to the
    // digest and to a second try.
    insert: (statement, chunks, token) =>
      client.insert(statement, chunks, {
        ...INSERT_SETTINGS,
        insert_deduplication_token: token,
      }),
    flushInterval: config.flush_interval,
    flushRows: config.flush_rows,
  });
  return {
    endpoint: { url: client.address, ...about },
    write: (batch) => writer.add(rowsByTable(batch)),
    query: (sql, params) => client.query(sql, params),
    async ping() {
      await client.query('SELECT 1');
    },
    async close() {
      await writer.close();
      await client.close();
    },
  };
}
