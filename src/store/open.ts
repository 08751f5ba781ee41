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
import { storeSettings } from './settings.ts';
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

export interface OpenedStore extends Store {
  readonly endpoint: StoreEndpoint;
}

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
    on_cluster: false,
    replicated: false,
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
    async close(deadline) {
      await store.close(deadline);
      await engine.stop();
    },
  };
}

async function requireMigrations(config: StoreConfig): Promise<void> {
  for (const { server, pending } of await migrationStatus(config, { reachable: true })) {
    if (pending.length === 0) continue;
    throw new RecallError(
      'ERR_MIGRATION',
      `database ${config.database} at ${server} lacks ${pending.join(', ')}: run \`token-recall migrate --config FILE\``,
    );
  }
}

function connect(config: StoreConfig, url: string, about: Omit<StoreEndpoint, 'url'>): OpenedStore {
  const settings = storeSettings(config);
  const client = createClickHouse({
    url,
    username: config.username,
    password: config.password?.reveal() ?? '',
    database: config.database,
    settings: settings.request,
  });
  const writer = createWriter({
    // Bytes as they are. client.insert encodes an array in one go on the event loop, and what it encoded is lost to the
    // digest and to a second try.
    insert: (statement, chunks, token) =>
      client.insert(statement, chunks, { ...settings.rows, insert_deduplication_token: token }),
    flushInterval: config.flush_interval,
    flushRows: config.flush_rows,
  });
  return {
    endpoint: { url: client.address, ...about },
    write: (batch, options) => writer.add(rowsByTable(batch), options),
    insert: (statement, rows) => client.insert(statement, rows, settings.together),
    query: (sql, params) => client.query(sql, params),
    ping: () => client.ping(),
    async close(deadline) {
      await writer.close(deadline);
      await client.close();
    },
  };
}
