import { randomBytes } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadOrCreateKey } from '../../../src/response/custody-key.ts';
import { openStore, type OpenedStore } from '../../../src/store/open.ts';
import { silent, storeConfig, temporaryDirectory } from '../../support/clickhouse.ts';
import { freePorts } from '../../support/processes.ts';
import { runCli } from '../../support/run-cli.ts';
import { credentials, startApi, type Harness } from '../../unit/api/harness.ts';
import { custodyOf, line, MINUTE, storing } from '../pipeline/set-aside.ts';

/** A raw token, which nothing but the original may show. */
const token = randomBytes(24).toString('base64url');
let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let store: OpenedStore;
let api: Harness;
let worker: ReturnType<typeof storing>;

const cli = (...args: string[]) => runCli(['dead-letters', ...args], { cwd: directory.path });
const embedded = ['--config', 'recall.yaml'];
interface Listed {
  dead_letters: {
    dead_letter_id: string;
    code: string;
    kept: boolean;
    redriven?: { outcome: string; actor: string };
  }[];
}
const listed = async (...args: string[]) => {
  const { stdout, stderr, code } = await cli('list', ...embedded, '--json', ...args);
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
  return (JSON.parse(stdout) as Listed).dead_letters;
};

beforeAll(async () => {
  directory = await temporaryDirectory();
  const dataDir = join(directory.path, 'data');
  // The store of a running worker, with a retention that the command does not know of.
  store = await openStore({ config: storeConfig(), dataDir, log: silent });
  const key = await loadOrCreateKey(dataDir);
  worker = storing(store, custodyOf(key.reveal()));
  api = await startApi({ onBatch: worker.handle, deps: { store } });
  const [port = 0] = await freePorts(1);
  await api.app.listen({ host: '127.0.0.1', port });
  const tokens = Object.fromEntries(credentials.map((one) => [one.role, one.token.reveal()]));
  await writeFile(join(dataDir, 'api-tokens.json'), JSON.stringify(tokens), { mode: 0o600 });
  await writeFile(
    join(directory.path, 'recall.yaml'),
    `data_dir: data\napi: { port: ${port} }\ndetection: { max_future: 2h }\n`,
  );
  worker.setting.maxFuture = 10 * MINUTE;
  await worker.feed([line('cli-a', 60 * MINUTE, token), `none of an event, but a token: ${token}`]);
  worker.setting.maxFuture = 120 * MINUTE;
});
afterAll(async () => {
  await api.close();
  await store.close();
  await directory.remove();
});

describe('token-recall dead-letters, beside a running worker', () => {
  it('lists what was refused, for people and for programs', async () => {
    const { code, stdout } = await cli('list', '--data-dir', 'data');
    expect(code).toBe(0);
    expect(stdout).toMatch(/ERR_DECODE_JSON/);
    expect(stdout).toMatch(/2 dead letters\n$/);
    expect(await listed('--code', 'ERR_DECODE_TIME', '--since', '1h')).toMatchObject([{ kept: true }]);
    expect(await listed('--source', 'http')).toEqual([]);
    expect(await listed('--limit', '1')).toHaveLength(1);
  });

  it('shows one masked, and writes its original to a new file that only its owner reads', async () => {
    const [letter] = await listed('--code', 'ERR_DECODE_JSON');
    const id = letter!.dead_letter_id;
    const shown = await cli('show', id, ...embedded, '--original', 'original.bin');
    expect(shown.code).toBe(0);
    expect(shown.stdout).toMatch(/refused by +decode: ERR_DECODE_JSON\n/);
    expect(shown.stdout).toContain('[masked]');
    expect(shown.stdout + shown.stderr).not.toContain(token);
    const path = join(directory.path, 'original.bin');
    expect(await readFile(path, 'utf8')).toBe(`none of an event, but a token: ${token}`);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(
      await store.query("SELECT actor, target FROM audit_log WHERE action = 'dead-letter.open'"),
    ).toEqual([{ actor: expect.stringMatching(/^cli:./) as string, target: `dead letter ${id}` }]);

    for (const taken of ['original.bin', '/dev/stdout']) {
      const again = await cli('show', id, ...embedded, '--original', taken);
      expect(again.code).toBe(2);
      expect(again.stdout + again.stderr).not.toContain(token);
    }
    expect(await cli('show', 'none', ...embedded)).toMatchObject({
      code: 1,
      stderr: 'token-recall: there is no dead letter none\n',
    });
  });

  it('hands over what is an event now, marks it, and exits 1 while some are none', async () => {
    const dry = await cli('redrive', ...embedded, '--dry-run');
    expect(dry).toMatchObject({ code: 1, stderr: '' });
    expect(dry.stdout).toMatch(/1 would be events now\n1 still no events/);
    const done = await cli('redrive', ...embedded, '--json');
    expect(done.code).toBe(1);
    expect(JSON.parse(done.stdout)).toMatchObject({ outcomes: { accepted: 1, undecodable: 1 } });
    expect(await store.query('SELECT request_id, source FROM access_events')).toEqual([
      { request_id: 'cli-a', source: 'http' },
    ]);
    const [letter] = await listed('--code', 'ERR_DECODE_TIME');
    expect(letter?.redriven).toMatchObject({
      outcome: 'accepted',
      actor: expect.stringMatching(/^cli:./) as string,
    });
    const once = await cli('redrive', ...embedded, '--id', letter!.dead_letter_id);
    expect(once).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('0 dead letters looked at') as string,
    });
    const again = await cli('redrive', ...embedded, '--id', letter!.dead_letter_id, '--again');
    expect(again.stdout).toContain('1 are events now');
    expect(await store.query('SELECT count() AS n FROM access_events FINAL')).toEqual([{ n: 1 }]);
    expect(dry.stdout + done.stdout + again.stdout).not.toContain(token);
  });

  it('leaves the tables, and how long they keep rows, as they are', async () => {
    const [row] = await store.query<{ q: string }>(
      "SELECT create_table_query AS q FROM system.tables WHERE database = currentDatabase() AND name = 'dead_letters'",
    );
    expect(row?.q).toContain(`toIntervalSecond(${18_000 * 86_400})`);
  });

  it('takes no credential that may not push, and no way that others could listen on', async () => {
    await writeFile(join(directory.path, 'reader.token'), credentials[0]!.token.reveal());
    const reader = await cli('redrive', ...embedded, '--again', '--token-file', 'reader.token');
    expect(reader).toMatchObject({ code: 2, stderr: expect.stringContaining('403') as string });
    const clear = await cli('redrive', ...embedded, '--url', 'http://192.0.2.1:7300');
    expect(clear).toMatchObject({ code: 2, stderr: expect.stringContaining('travel in clear') as string });
    const nobody = await cli('redrive', ...embedded, '--url', 'http://127.0.0.1:1');
    expect(nobody.code).toBe(3);
    expect(nobody.stderr).toMatch(
      /no worker answers at http:\/\/127\.0\.0\.1:1: start it with `token-recall run`/,
    );
  });

  it('lets the analyst read all of them but their originals', async () => {
    const sql = (query: string) => runCli(['sql', '--data-dir', 'data', query], { cwd: directory.path });
    const view = await sql('SELECT * FROM refused_records ORDER BY code FORMAT JSONEachRow');
    expect(view.stderr).toBe('');
    const rows = view.stdout
      .trimEnd()
      .split('\n')
      .map((row) => JSON.parse(row) as object);
    expect(rows).toMatchObject([
      { code: 'ERR_DECODE_JSON', redriven_at: null, redrive_outcome: '' },
      { code: 'ERR_DECODE_TIME', redrive_outcome: 'accepted' },
    ]);
    expect(view.stdout).not.toContain(token);
    expect(Object.keys(rows[0] ?? {})).not.toContain('sealed');
    expect((await sql('SELECT * FROM dead_letters')).code).toBe(1);
  });
});

describe('token-recall dead-letters, without a worker', () => {
  it('says that there is no store', async () => {
    const { code, stderr } = await cli('list', '--data-dir', 'nowhere');
    expect(code).toBe(3);
    expect(stderr).toContain('there is no embedded ClickHouse under nowhere');
  });

  it('starts the store to look, and refuses to hand over', async () => {
    await api.close();
    await store.close();
    expect(await listed()).toHaveLength(2);
    expect((await cli('redrive', ...embedded, '--again', '--dry-run')).stdout).toMatch(
      /1 would be events now/,
    );
    expect((await cli('redrive', ...embedded)).code).toBe(3);
  });
});
