import type { Config, StoreConfig } from '../../schemas/config.ts';
import { secret } from '../../schemas/secret.ts';
import { RecallError } from '../errors.ts';
import { embeddedPaths, readCredentials, readEndpoint } from '../store/embedded/files.ts';
import { launchEmbedded } from '../store/embedded/launch.ts';
import { migrationStatus } from '../store/migrate.ts';
import { openStore } from '../store/open.ts';
import type { Store } from '../store/port.ts';
import { createLogger } from '../telemetry/log.ts';

/**
 * Opens the store of a configuration beside the worker that uses it, as the user that writes: the server that the
 * configuration names; else the embedded ClickHouse, the one that runs on the data directory or, where none does, one
 * started until the store is closed. Migrates nothing: retention may be another in the worker's configuration.
 *
 * @throws RecallError ERR_STORE_EMBEDDED where no embedded store is there; ERR_MIGRATION where tables are missing;
 *   ERR_STORE_UNAVAILABLE, ERR_STORE_REFUSED
 */
export async function attachStore(config: Config): Promise<Pick<Store, 'query' | 'write' | 'close'>> {
  const { connection, end } =
    config.store.url === undefined
      ? await attachEmbedded(config)
      : { connection: config.store, end: () => Promise.resolve() };
  try {
    const servers = await migrationStatus(connection);
    const missing = servers.flatMap(({ pending }) => pending.filter((file) => !file.startsWith('repeat_')));
    if (missing.length > 0) {
      const what =
        config.store.url === undefined ? 'start `token-recall run` once' : 'run `token-recall migrate`';
      throw new RecallError('ERR_MIGRATION', `the store lacks ${[...new Set(missing)].join(', ')}: ${what}`);
    }
    const store = await openStore({
      config: connection,
      dataDir: config.data_dir,
      log: createLogger('silent'),
      requireMigrated: false,
    });
    return {
      query: (sql, params) => store.query(sql, params),
      write: (batch) => store.write(batch),
      async close() {
        await store.close();
        await end();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}

async function attachEmbedded({ data_dir: dataDir, store }: Config) {
  const paths = embeddedPaths(dataDir);
  const [last, credentials] = await Promise.all([readEndpoint(paths), readCredentials(paths)]);
  if (last === undefined || credentials === undefined) {
    throw new RecallError(
      'ERR_STORE_EMBEDDED',
      `there is no embedded ClickHouse under ${dataDir}: \`token-recall run\` without store.url makes one. ` +
        'Where the store is a server of your own, give --config',
    );
  }
  const { database } = last;
  const engine = isAlive(last.pid) ? undefined : await launchEmbedded({ dataDir, database, httpPort: 0 });
  const { username, password } = credentials.writer;
  const connection: StoreConfig = {
    ...store,
    url: engine?.endpoint.url ?? last.url,
    ...{ database, username, password: secret(password) },
    ...{ cluster: undefined, on_cluster: false, replicated: false },
  };
  return { connection, end: async () => engine?.stop() };
}

/** Where the process is gone, its port may be somebody else's by now: no password for them. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
