import { RecallError, isRecallError } from '../errors.ts';
import { createClickHouse } from './client.ts';
import { embeddedPaths, readCredentials, readEndpoint } from './embedded/files.ts';
import { launchEmbedded } from './embedded/launch.ts';

export interface SqlOptions {
  /** Directory of the product, with the embedded ClickHouse under it. */
  dataDir: string;
  query: string;
  /** Format of the answer where the query has no FORMAT clause, such as `PrettyCompact`, `JSONEachRow`, `CSV`. */
  format: string;
}

/**
 * Asks the embedded ClickHouse as its read-only user: the one that runs on the data directory, else one started
 * for the time of the query. The bytes of the answer, as they come.
 *
 * @throws RecallError ERR_STORE_EMBEDDED where no embedded store is there, ERR_STORE_REFUSED what ClickHouse has
 *   against the query, ERR_STORE_UNAVAILABLE
 */
export async function* runSql({ dataDir, query, format }: SqlOptions): AsyncGenerator<Uint8Array> {
  const paths = embeddedPaths(dataDir);
  const [endpoint, credentials] = await Promise.all([readEndpoint(paths), readCredentials(paths)]);
  if (endpoint === undefined || credentials === undefined)
    throw new RecallError(
      'ERR_STORE_EMBEDDED',
      `there is no embedded ClickHouse under ${dataDir}: \`token-recall run\` without store.url makes one. ` +
        'A server of your own is asked with its own client',
    );
  const { database } = endpoint;
  const ask = (url: string) => createClickHouse({ url, ...credentials.analyst, database });

  const running = ask(endpoint.url);
  try {
    if (isAlive(endpoint.pid) && (await answers(running))) {
      yield* await running.stream(query, format);
      return;
    }
  } finally {
    await running.close();
  }
  const engine = await launchEmbedded({ dataDir, database, httpPort: 0 });
  const client = ask(engine.endpoint.url);
  try {
    yield* await client.stream(query, format);
  } finally {
    await client.close();
    await engine.stop();
  }
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

async function answers(client: ReturnType<typeof createClickHouse>): Promise<boolean> {
  try {
    await client.query('SELECT 1');
    return true;
  } catch (error) {
    if (isRecallError(error)) return false;
    throw error;
  }
}
