import { join } from 'node:path';
import { config as configSchema } from '../../schemas/config.ts';
import { secret } from '../../schemas/secret.ts';
import { createClickHouse, type ClickHouse } from '../../src/store/client.ts';
import { launchEmbedded } from '../../src/store/embedded/launch.ts';
import { migrate } from '../../src/store/migrate.ts';

/** A ClickHouse server process that can be killed and started again on its data. */
export interface StoreProcess {
  readonly account: { url: string; username: string; password: string };
  readonly dataDir: string;
  readonly database: string;
  kill(): Promise<void>;
  restart(): Promise<void>;
  readonly client: ClickHouse;
  stop(): Promise<void>;
}

const DATABASE = 'token_recall';

/** Starts a migrated ClickHouse under `folder`. */
export async function startStore(folder: string): Promise<StoreProcess> {
  const dataDir = join(folder, 'store');
  const options = { dataDir, database: DATABASE, httpPort: 0 };
  let engine = await launchEmbedded(options);
  const { url } = engine.endpoint;
  const account = { url, ...engine.credentials.writer };
  const { store } = configSchema.parse({ store: { url, username: account.username } });
  await migrate({ ...store, password: secret(account.password) });
  const client: ClickHouse = createClickHouse({ ...account, database: DATABASE });
  return {
    account,
    dataDir,
    database: DATABASE,
    kill: () => engine.stop(),
    async restart() {
      engine = await launchEmbedded({ ...options, httpPort: Number(new URL(url).port) });
    },
    client,
    async stop() {
      await client.close();
      await engine.stop();
    },
  };
}
