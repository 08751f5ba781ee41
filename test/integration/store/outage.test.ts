import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { isRecallError } from '../../../src/errors.ts';
import { createClickHouse } from '../../../src/store/client.ts';
import { embeddedPaths, readEndpoint } from '../../../src/store/embedded/files.ts';
import { openStore, type OpenedStore } from '../../../src/store/open.ts';
import { silent, startClickHouse, storeConfig, temporaryDirectory } from '../../support/clickhouse.ts';
import { accessEvent, sampleAction } from './samples.ts';

const cleanUps: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** A server that takes connections and requests, and never answers. */
async function hangingServer() {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    socket.resume();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  cleanUps.push(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return {
    url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    connections: () => sockets.size,
  };
}

const unavailable = { code: 'ERR_STORE_UNAVAILABLE', disposition: 'retry' };

test('a server that never answers is unavailable after the time a request has', async () => {
  const { url } = await hangingServer();
  const client = createClickHouse({ url, username: 'u', password: 'p', requestTimeout: 100 });
  cleanUps.push(() => client.close());
  await expect(client.query('SELECT 1')).rejects.toMatchObject(unavailable);
  await expect(client.command('SELECT 1')).rejects.toMatchObject(unavailable);
  await expect(client.insert('INSERT INTO a FORMAT CSV', [Buffer.from('1\n')], {})).rejects.toMatchObject(
    unavailable,
  );
});

test('closing gives up what is under way at a server that never answers; later requests fail', async () => {
  const { url, connections } = await hangingServer();
  const client = createClickHouse({ url, username: 'u', password: 'p' });
  // More than there are connections: the last ones still wait for one.
  const queries = Promise.allSettled(Array.from({ length: 12 }, () => client.query('SELECT 1')));
  await vi.waitFor(() => expect(connections()).toBe(10));
  await client.close();
  for (const outcome of await queries) expect(outcome).toMatchObject({ reason: unavailable });
  await expect(client.query('SELECT 1')).rejects.toMatchObject(unavailable);
});

test('a store whose server never answers closes within the deadline it is given', async () => {
  const { url, connections } = await hangingServer();
  const store = await openStore({
    config: storeConfig({ url }),
    dataDir: '',
    log: silent,
    requireMigrated: false,
  });
  const outcomes = Promise.allSettled([
    store.write({ access_events: [accessEvent('under way')] }),
    store.write({ access_events: [accessEvent('waits')] }),
    store.insert('INSERT INTO a FORMAT CSV', [Buffer.from('1\n')]),
  ]);
  await vi.waitFor(() => expect(connections()).toBe(2));
  await store.close(50);
  for (const outcome of await outcomes) expect(outcome).toMatchObject({ reason: unavailable });
});

/** Writes events one after the other, each until it is acknowledged, as a worker does; goes on until told to stop. */
function keepWriting(store: OpenedStore, name: string) {
  const acknowledged: string[] = [];
  const stopping = new AbortController();
  let failures = 0;
  async function write(id: string, urgent: boolean): Promise<void> {
    const batch = {
      access_events: [accessEvent(id, { jti: name, sub: name })],
      actions: [sampleAction(id)],
    };
    for (;;) {
      try {
        await store.write(batch, { urgent });
        return;
      } catch (error) {
        if (!isRecallError(error, 'ERR_STORE_UNAVAILABLE')) throw error;
        failures += 1;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }
  const done = (async () => {
    while (!stopping.signal.aborted) {
      const id = `${name}-${acknowledged.length}`;
      await write(id, acknowledged.length % 2 === 0);
      acknowledged.push(id);
    }
  })();
  return {
    acknowledged,
    failures: () => failures,
    async stop() {
      stopping.abort();
      await done;
    },
  };
}

/** Kills the server time and again while three writers write; what they were told is there must be, once. */
async function surviveKills(stores: readonly OpenedStore[], killAndRestart: () => Promise<void>) {
  const writers = stores.map((store, index) => keepWriting(store, `writer-${index}`));
  for (const writer of writers) cleanUps.push(() => writer.stop());
  const [reader] = stores;
  for (let round = 0; round < 3; round += 1) {
    const before = writers.map(({ acknowledged }) => acknowledged.length);
    const failed = writers.map(({ failures }) => failures());
    await vi.waitFor(
      () => {
        for (const [index, { acknowledged }] of writers.entries())
          expect(acknowledged.length).toBeGreaterThan(before[index]! + 5);
      },
      { timeout: 30_000 },
    );
    await killAndRestart();
    await vi.waitFor(
      () => {
        for (const [index, { failures }] of writers.entries())
          expect(failures()).toBeGreaterThan(failed[index]!);
      },
      { timeout: 30_000 },
    );
  }
  await Promise.all(writers.map((writer) => writer.stop()));
  const ids = writers.flatMap(({ acknowledged }) => acknowledged).sort();
  const stored = async (sql: string) => (await reader!.query<{ id: string }>(sql)).map(({ id }) => id).sort();
  expect(await stored('SELECT event_id AS id FROM access_events FINAL')).toEqual(ids);
  expect(await stored('SELECT action_id AS id FROM actions FINAL')).toEqual(ids);
  expect(await reader!.query('SELECT token_id, uses FROM tokens ORDER BY token_id')).toEqual(
    writers.map(({ acknowledged }, index) => ({ token_id: `writer-${index}`, uses: acknowledged.length })),
  );
}

test.skipIf(process.env['CLICKHOUSE_URL'] !== undefined)(
  'a server killed under the writes of several workers loses nothing it acknowledged (not at CLICKHOUSE_URL)',
  async () => {
    const clickhouse = await startClickHouse();
    cleanUps.push(() => clickhouse.stop());
    const stores = await Promise.all([clickhouse.open(), clickhouse.open(), clickhouse.open()]);
    for (const store of stores) cleanUps.push(() => store.close());
    await surviveKills(stores, async () => {
      await clickhouse.kill();
      await clickhouse.restart();
    });
  },
);

test('the embedded engine killed under the writes of its worker loses nothing it acknowledged', async () => {
  const directory = await temporaryDirectory();
  cleanUps.push(directory.remove);
  const store = await openStore({ config: storeConfig(), dataDir: directory.path, log: silent });
  cleanUps.push(() => store.close());
  await surviveKills([store, store, store], async () => {
    const { pid } = (await readEndpoint(embeddedPaths(directory.path)))!;
    process.kill(pid, 'SIGKILL');
  });
});
