import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join, relative } from 'node:path';
import { createClient } from '@clickhouse/client';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { messageOf } from '../../../src/errors.ts';
import { embeddedPaths, readCredentials, readEndpoint } from '../../../src/store/embedded/files.ts';
import { openStore, type OpenedStore } from '../../../src/store/open.ts';
import { runSql } from '../../../src/store/sql.ts';
import { silent, storeConfig, temporaryDirectory } from '../../support/clickhouse.ts';
import { accessEvent, sampleDeadLetter, sampleSealed } from './samples.ts';

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let store: OpenedStore;
const others: (() => Promise<void>)[] = [];

const open = (dataDir: string, input: Parameters<typeof storeConfig>[0] = {}) =>
  openStore({ config: storeConfig(input), dataDir, log: silent });

beforeAll(async () => {
  directory = await temporaryDirectory();
  store = await open(directory.path);
});
afterEach(async () => {
  for (const close of others.splice(0).reverse()) await close();
});
afterAll(async () => {
  await store.close();
  await directory.remove();
});

async function freshDirectory(): Promise<string> {
  const fresh = await temporaryDirectory();
  others.push(fresh.remove);
  return fresh.path;
}

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** Asks over HTTP with the credentials given, as any local process could. */
async function ask(query: string, headers: Record<string, string> = {}): Promise<number> {
  const answer = await fetch(store.endpoint.url, { method: 'POST', body: query, headers });
  await answer.arrayBuffer();
  return answer.status;
}

test('nobody gets in without a password, nor with a wrong one', async () => {
  const { analyst } = store.endpoint;
  const right = { 'X-ClickHouse-User': 'analyst', 'X-ClickHouse-Key': analyst!.password.reveal() };
  expect(await ask('SELECT 1', right)).toBe(200);
  for (const query of [
    'SELECT 1',
    'SYSTEM STOP LISTEN HTTP',
    "SELECT * FROM file('/etc/hostname', 'LineAsString')",
  ]) {
    expect(await ask(query)).toBeGreaterThanOrEqual(400);
    expect(
      await ask(query, { 'X-ClickHouse-User': 'default', 'X-ClickHouse-Key': '' }),
    ).toBeGreaterThanOrEqual(400);
  }
  for (const user of ['default', 'writer', 'analyst', 'nobody'])
    expect(
      await ask('SELECT 1', { 'X-ClickHouse-User': user, 'X-ClickHouse-Key': 'wrong' }),
    ).toBeGreaterThanOrEqual(400);
  // Whoever tried, the engine still serves those it should.
  await store.ping();
});

/**
 * Logs in over the native protocol. First byte of the answer: 0 is Hello, 2 an exception; 'reset' where there is none.
 */
async function greet(port: number, user: string, password: string): Promise<number | string | undefined> {
  const text = (value: string) => [value.length, ...Buffer.from(value)];
  const socket = connect(port, '127.0.0.1');
  // Hello of client 1.1, revision 54058 (the varint aa a6 03): database, user, password.
  const hello = [0, ...text('test'), 1, 1, 0xaa, 0xa6, 0x03, ...text(''), ...text(user), ...text(password)];
  try {
    socket.write(Buffer.from(hello));
    const [answer] = (await once(socket, 'data')) as [Buffer];
    return answer[0];
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ECONNRESET' ? 'reset' : messageOf(error);
  } finally {
    socket.destroy();
  }
}

test('there is no native port unless asked for; then nobody gets in there either, and the engine comes back', async () => {
  expect(store.endpoint.tcp).toBeUndefined();

  const own = await open(await freshDirectory(), { tcp_port: 0 });
  others.push(() => own.close());
  const { tcp, analyst } = own.endpoint;
  expect(await greet(tcp!.port, 'analyst', analyst!.password.reveal())).toBe(0);
  for (const [user, password] of [
    ['default', ''],
    ['analyst', 'wrong'],
  ] as const) {
    expect(await greet(tcp!.port, user, password)).toSatisfy((answer) => answer === 2 || answer === 'reset');
    await vi.waitFor(() => own.ping(), { timeout: 30_000, interval: 100 });
  }
});

test('the analyst reads the tables and views, and nothing else', async () => {
  await store.write({
    access_events: [accessEvent('seen')],
    custody: [sampleSealed('hash-1')],
    dead_letters: [sampleDeadLetter('letter')],
  });
  const { analyst, url } = store.endpoint;
  const client = createClient({
    url,
    username: analyst!.username,
    password: analyst!.password.reveal(),
    database: 'token_recall',
    log: { level: 127 },
  });
  const query = async (sql: string) =>
    await (await client.query({ query: sql, format: 'JSONEachRow' })).json();
  const code = async (work: Promise<unknown>) =>
    await work.then(
      () => 'allowed',
      (error: unknown) => (error as { type?: string }).type,
    );
  try {
    expect(await query('SELECT event_id FROM access_events')).toEqual([{ event_id: 'seen' }]);
    expect(await query('SELECT token_id, toUInt8(uses) AS uses FROM tokens')).toEqual([
      { token_id: 'token-1', uses: 1 },
    ]);
    expect(await query('SELECT reason FROM dead_letters')).toHaveLength(1);
    for (const sql of [
      'SELECT * FROM token_custody',
      'SELECT sealed FROM dead_letters',
      "SELECT * FROM file('/etc/hostname', 'LineAsString')",
      "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
      "SELECT * FROM remote('127.0.0.1:1', system.one)",
      'SELECT * FROM system.users',
    ])
      expect([sql, await code(query(sql))]).toEqual([sql, 'ACCESS_DENIED']);
    for (const name of ['format_template_resultset', 'output_format_schema'])
      expect(await code(query(`SELECT 1 SETTINGS ${name} = '/x'`))).toBe('SETTING_CONSTRAINT_VIOLATION');
    for (const sql of [
      "INSERT INTO access_events (event_id) VALUES ('x')",
      'TRUNCATE TABLE access_events',
      'DROP TABLE findings',
      "ALTER TABLE findings DELETE WHERE detector = 'x'",
      'CREATE TABLE mine (a UInt8) ENGINE = Memory',
      'GRANT SELECT ON token_recall.token_custody TO analyst',
    ])
      expect([sql, await code(client.command({ query: sql }))]).toEqual([
        sql,
        expect.stringMatching(/^(ACCESS_DENIED|READONLY)$/) as unknown,
      ]);
    for (const setting of [{ max_execution_time: 0 }, { max_memory_usage: '0' }, { readonly: '0' }])
      expect(
        await code(
          client.query({ query: 'SELECT 1', clickhouse_settings: setting }).then((answer) => answer.text()),
        ),
      ).toMatch(/SETTING_CONSTRAINT_VIOLATION|READONLY/);
  } finally {
    await client.close();
  }
});

test('what is written under the data directory is for the owner only, and passwords are hashed', async () => {
  const { root, users, credentials } = embeddedPaths(directory.path);
  expect((await stat(root)).mode & 0o777).toBe(0o700);
  for (const entry of await readdir(root, { withFileTypes: true }))
    if (entry.isFile())
      expect([entry.name, (await stat(join(root, entry.name))).mode & 0o777]).toEqual([entry.name, 0o600]);
  const { writer, analyst } = JSON.parse(await readFile(credentials, 'utf8')) as Record<
    string,
    { password: string }
  >;
  const text = await readFile(users, 'utf8');
  expect(text.includes(writer!.password) || text.includes(analyst!.password)).toBe(false);
});

test('a data directory serves one process at a time', async () => {
  await expect(open(directory.path)).rejects.toMatchObject({
    code: 'ERR_STORE_EMBEDDED',
    message: expect.stringMatching(
      /in use by another process \(its ClickHouse: process \d+, http:/,
    ) as unknown,
  });
  await store.ping();
});

test('signals meant for the whole service leave the engine to its parent', async () => {
  const { pid } = (await readEndpoint(embeddedPaths(directory.path)))!;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(pid, signal);
  await store.write({ access_events: [accessEvent('after-signals')] });
  await store.ping();
  expect(isAlive(pid)).toBe(true);
});

test('a port in use is named, with the option that changes it', async () => {
  const squatter = createServer().listen(0, '127.0.0.1');
  await once(squatter, 'listening');
  const address = squatter.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  try {
    await expect(open(await freshDirectory(), { http_port: port })).rejects.toMatchObject({
      code: 'ERR_STORE_EMBEDDED',
      message: expect.stringMatching(new RegExp(`127\\.0\\.0\\.1:${port}.*store\\.http_port`)) as unknown,
    });
  } finally {
    squatter.close();
  }
});

test('a start that fails shows the end of the log', async () => {
  const dataDir = await freshDirectory();
  const { data } = embeddedPaths(dataDir);
  // A relative path, as the default one is, means the same directory.
  const first = await open(relative(process.cwd(), dataDir));
  await first.close();
  await rm(data, { recursive: true });
  await writeFile(data, 'a file where a directory belongs');
  await expect(open(dataDir)).rejects.toMatchObject({
    code: 'ERR_STORE_EMBEDDED',
    message: expect.stringMatching(/End of .*clickhouse\.log:\n.*\S/s) as unknown,
  });
});

test('killed, it is started again; a write meanwhile fails as unavailable, tried again it is not lost', async () => {
  const dataDir = await freshDirectory();
  const own = await open(dataDir);
  others.push(() => own.close());
  await own.write({ access_events: [accessEvent('before')] });
  const { pid, url } = (await readEndpoint(embeddedPaths(dataDir)))!;

  process.kill(pid, 'SIGKILL');
  await vi.waitFor(() => expect(isAlive(pid)).toBe(false));
  await expect(own.write({ access_events: [accessEvent('during')] })).rejects.toMatchObject({
    code: 'ERR_STORE_UNAVAILABLE',
  });
  await vi.waitFor(() => own.write({ access_events: [accessEvent('during')] }), {
    timeout: 30_000,
    interval: 50,
  });

  const { pid: newPid, url: newUrl } = (await readEndpoint(embeddedPaths(dataDir)))!;
  expect(newPid).not.toBe(pid);
  expect(newUrl).toBe(url);
  expect(await own.query('SELECT event_id FROM access_events FINAL ORDER BY event_id')).toEqual([
    { event_id: 'before' },
    { event_id: 'during' },
  ]);
});

test('it ends with its parent, also a killed one, and keeps data and credentials for the next', async () => {
  const dataDir = await freshDirectory();
  const parent = fork(new URL('./embedded-parent.ts', import.meta.url), [dataDir], {
    execArgv: ['--import', 'tsx'],
  });
  const [pid] = (await once(parent, 'message')) as [number];
  const credentials = await readCredentials(embeddedPaths(dataDir));
  parent.kill('SIGKILL');
  await once(parent, 'exit');
  await vi.waitFor(() => expect(isAlive(pid)).toBe(false), { timeout: 10_000 });

  const next = await open(dataDir);
  others.push(() => next.close());
  expect(await next.query('SELECT event_id FROM access_events')).toEqual([{ event_id: 'of-the-parent' }]);
  expect(await readCredentials(embeddedPaths(dataDir))).toEqual(credentials);
});

async function sql(dataDir: string, query: string, format = 'TSV'): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of runSql({ dataDir, query, format })) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

test('SQL is asked of the running engine, or of one started for it, as the analyst', async () => {
  expect(await sql(directory.path, 'SELECT currentUser()')).toBe('analyst\n');
  expect(await sql(directory.path, 'SELECT 1 AS a FORMAT JSONEachRow')).toBe('{"a":1}\n');
  await expect(sql(directory.path, 'SELECT * FROM token_custody')).rejects.toMatchObject({
    code: 'ERR_STORE_REFUSED',
  });

  const dataDir = await freshDirectory();
  await expect(sql(dataDir, 'SELECT 1')).rejects.toMatchObject({ code: 'ERR_STORE_EMBEDDED' });
  const gone = await open(dataDir);
  await gone.write({ access_events: [accessEvent('stays')] });
  await gone.close();
  expect(await sql(dataDir, 'SELECT event_id FROM access_events', 'CSV')).toBe('"stays"\n');
  expect(isAlive((await readEndpoint(embeddedPaths(dataDir)))!.pid)).toBe(false);
});
