import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { config as configSchema, type ConfigInput, type StoreConfig } from '../../schemas/config.ts';
import { secret } from '../../schemas/secret.ts';
import { createClickHouse } from '../../src/store/client.ts';
import { embeddedPaths, ensureCredentials, ensureRoot } from '../../src/store/embedded/files.ts';
import { launchEmbedded, type EmbeddedOptions } from '../../src/store/embedded/launch.ts';
import { loopbackPort } from '../../src/store/embedded/ports.ts';
import { migrate } from '../../src/store/migrate.ts';
import { openStore, type OpenedStore } from '../../src/store/open.ts';

type StoreInput = NonNullable<ConfigInput['store']>;

export const silent = pino({ level: 'silent' });

/** Store configuration with its defaults, but flushing soon and keeping rows: events of tests grow old. */
export function storeConfig(input: StoreInput = {}): StoreConfig {
  const kept = { events: '18000d', alerts: '18000d', dead_letters: '18000d' };
  const forTests = { flush_interval: '5ms', retention: kept, http_port: 0 };
  return configSchema.parse({ store: { ...forTests, ...input } }).store;
}

/** A directory of its own under the system's temporary one. */
export async function temporaryDirectory() {
  const path = await mkdtemp(join(tmpdir(), 'token-recall-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** A migrated database for one test file, reached as a server. */
export interface TestClickHouse {
  readonly config: StoreConfig;
  /** Opens a store on it; the caller closes it. */
  open(overrides?: Partial<StoreConfig>): Promise<OpenedStore>;
  /** SIGKILL; the data stay. With several servers, which one. A server at CLICKHOUSE_URL is not ours to kill. */
  kill(server?: number): Promise<void>;
  /** Starts what was killed, or kills and starts it, on the same port and data; resolves when it answers. */
  restart(server?: number): Promise<void>;
  /** Removes everything. */
  stop(): Promise<void>;
}

/** A ClickHouse process of its own, which can be killed and started again where it was. */
async function startServer(options: EmbeddedOptions) {
  let engine = await launchEmbedded(options);
  const { endpoint, credentials } = engine;
  const again = { ...options, httpPort: Number(new URL(endpoint.url).port), tcpPort: endpoint.tcp?.port };
  return {
    url: endpoint.url,
    writer: credentials.writer,
    kill: () => engine.stop(),
    async restart() {
      await engine.stop();
      engine = await launchEmbedded(again);
    },
  };
}
type Server = Awaited<ReturnType<typeof startServer>>;

/**
 * Starts a ClickHouse that is thrown away, a process of its own that workers share by its URL and writer, or takes a fresh database of the one at CLICKHOUSE_URL
 * (with CLICKHOUSE_USER and CLICKHOUSE_PASSWORD), dropped at the end.
 */
export async function startClickHouse(): Promise<TestClickHouse> {
  const database = `token_recall_test_${randomBytes(4).toString('hex')}`;
  const url = process.env['CLICKHOUSE_URL'];
  if (url !== undefined) {
    const account = {
      username: process.env['CLICKHOUSE_USER'] ?? 'default',
      password: process.env['CLICKHOUSE_PASSWORD'] ?? '',
    };
    return await prepared(
      storeConfig({ url, database, username: account.username }),
      account.password,
      [],
      async () => {
        const client = createClickHouse({ url, ...account });
        await client.command(`DROP DATABASE IF EXISTS ${database} SYNC`);
        await client.close();
      },
    );
  }
  const directory = await temporaryDirectory();
  const server = await startServer({ dataDir: directory.path, database, httpPort: 0 });
  const { username, password } = server.writer;
  return await prepared(
    storeConfig({ url: server.url, database, username }),
    password,
    [server],
    async () => {
      await server.kill();
      await directory.remove();
    },
  );
}

/** Two ClickHouse processes as the shards of cluster `pair`. Always embedded: shards need each other's addresses. */
export async function startCluster(): Promise<TestClickHouse & { shards: readonly string[] }> {
  const database = 'token_recall';
  const directories = [await temporaryDirectory(), await temporaryDirectory()];
  const ports = [await loopbackPort(0, 'tcp_port'), await loopbackPort(0, 'tcp_port')];
  const [first] = directories;
  // Shards log in to each other as the writer, so they share its password.
  await ensureRoot(embeddedPaths(first!.path));
  const credentials = await ensureCredentials(embeddedPaths(first!.path));
  const { username, password } = credentials.writer;
  const shards = ports.map(
    (port) => `<shard><internal_replication>true</internal_replication><replica>
      <host>127.0.0.1</host><port>${port}</port><user>${username}</user><password>${password}</password>
    </replica></shard>`,
  );
  const dropIn = `<clickhouse><remote_servers><pair>${shards.join('')}</pair></remote_servers></clickhouse>`;
  const servers: Server[] = [];
  for (const [index, { path: dataDir }] of directories.entries()) {
    const paths = embeddedPaths(dataDir);
    await mkdir(join(paths.root, 'config.d'), { recursive: true });
    await writeFile(join(paths.root, 'config.d', 'cluster.xml'), dropIn, { mode: 0o600 });
    await writeFile(paths.credentials, JSON.stringify(credentials), { mode: 0o600 });
    servers.push(await startServer({ dataDir, database, httpPort: 0, tcpPort: ports[index]! }));
  }
  const urls = servers.map(({ url }) => url);
  const config = storeConfig({ url: urls[0], database, username, cluster: 'pair', shards: urls });
  const cluster = await prepared(config, password, servers, async () => {
    await Promise.all(servers.map((server) => server.kill()));
    await Promise.all(directories.map((directory) => directory.remove()));
  });
  return { ...cluster, shards: urls };
}

async function prepared(
  settings: StoreConfig,
  password: string,
  servers: readonly Server[],
  stop: () => Promise<void>,
): Promise<TestClickHouse> {
  const server = (index: number) => {
    const one = servers[index];
    if (one === undefined) throw new Error('there is no such ClickHouse that these tests started');
    return one;
  };
  const config = { ...settings, password: secret(password) };
  try {
    await migrate(config);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    config,
    open: (overrides) => openStore({ config: { ...config, ...overrides }, dataDir: '', log: silent }),
    kill: (index = 0) => server(index).kill(),
    restart: (index = 0) => server(index).restart(),
    stop,
  };
}
