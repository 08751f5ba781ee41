import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { config } from '../../schemas/config.ts';
import { runDemo } from '../../src/demo/run.ts';
import type { Verdict } from '../../src/demo/verdict.ts';
import { tokenHash } from '../../src/formats/hash.ts';
import { openStore, type OpenedStore } from '../../src/store/open.ts';
import { createLogger } from '../../src/telemetry/log.ts';

const root = join(import.meta.dirname, '../..');

type Line = Record<string, unknown> & { event: string };

test('the command: three attackers locked out and proven, nobody else touched, exit code 0', async () => {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', join(root, 'src/cli/main.ts'), 'demo', '--json', '--users', '12'],
    { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let [output, errors] = ['', ''];
  child.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()));
  child.stderr.on('data', (bytes: Buffer) => (errors += bytes.toString()));
  const code = await new Promise((resolve) => child.once('close', resolve));
  const lines = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
  const told = (event: string) => lines.filter((line) => line.event === event);
  const problems = told('problem').map((line) => line['text']);
  expect({ code, problems, errors }).toEqual({ code: 0, problems: [], errors: '' });

  const stolen = told('stolen').map((line) => line['token_hash']);
  expect(new Set(stolen).size).toBe(3);
  expect(told('first_401').map((line) => [line['attack'], line['status']])).toEqual([
    ['overseas', 401],
    ['proxy', 401],
    ['drift', 401],
  ]);
  // Each stolen token, and no other, was decided to be revoked and proven dead; in that order on the timeline.
  const revocations = told('decision').filter((line) => line['action'] === 'revoke');
  expect(revocations.map((line) => line['token_hash'])).toEqual(stolen);
  expect(told('receipt').map((line) => [line['token_hash'], line['state']])).toEqual(
    stolen.map((hash) => [hash, 'confirmed']),
  );
  expect(told('back')).toHaveLength(2);
  expect(told('verdict')[0]).toMatchObject({ ok: true, stopped: 3, touched: 0, people: 14, machines: 3 });
  // What ClickHouse says agrees with what the attackers met.
  const uses = told('clickhouse')[0]?.['uses'] as { hash: string; refused: string }[];
  expect(new Set(uses.map(({ hash }) => hash))).toEqual(new Set(stolen));
});

let dataDir: string;
let verdict: Verdict | null;
let store: OpenedStore;
const tokens = new Set<string>();
const output: string[] = [];

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'token-recall-e2e-'));
  verdict = await runDemo({
    users: 12,
    seed: 5,
    dataDir,
    serve: false,
    json: true,
    colour: false,
    columns: 120,
    write: (line) => output.push(line),
    signal: new AbortController().signal,
    // Everything there is to log, so that a leak at any level shows.
    log: pino({ level: 'trace' }, { write: (line: string) => output.push(line) }),
    onToken: (token) => tokens.add(token),
  });
  const { store: settings } = config.parse({ store: { http_port: 0 } });
  store = await openStore({ config: settings, dataDir, log: createLogger('silent') });
}, 180_000);

afterAll(async () => {
  await store.close();
  await rm(dataDir, { recursive: true, force: true });
});

test('with another cast as well', () => {
  expect(verdict).toMatchObject({ ok: true, stopped: 3, touched: 0 });
  expect(tokens.size).toBeGreaterThan(30);
});

test('no raw token is in the output, the logs or any file of the data directory', async () => {
  const files = await readdir(dataDir, { recursive: true, withFileTypes: true });
  const found: string[] = [];
  let bytes = 0;
  for (const file of files.filter((entry) => entry.isFile())) {
    const path = join(file.parentPath, file.name);
    const content = await readFile(path, 'latin1');
    bytes += content.length;
    if ([...tokens].some((token) => content.includes(token))) found.push(path);
  }
  expect(bytes).toBeGreaterThan(100_000);
  expect(found).toEqual([]);
  const text = output.join('\n');
  expect([...tokens].filter((token) => text.includes(token)).length).toBe(0);
});

test('no raw token is in any column of any table, though its hash is', async () => {
  // Files of ClickHouse are compressed, so a look at their bytes proves little: ask it.
  const tables = await store.query<{ name: string }>(
    `SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'`,
  );
  expect(tables.length).toBeGreaterThan(8);
  const rowsWith = async (name: string, needles: string[]) => {
    const [row] = await store.query<{ rows: string }>(
      `SELECT toString(count()) AS rows FROM \`${name}\`
        WHERE arrayExists(needle -> position(formatRowNoNewline('JSONEachRow', *), needle) > 0, {needles:Array(String)})`,
      { needles },
    );
    return Number(row?.rows);
  };
  let hashes = 0;
  for (const { name } of tables) {
    expect([name, await rowsWith(name, [...tokens])]).toEqual([name, 0]);
    hashes += await rowsWith(name, [...tokens].map(tokenHash));
  }
  expect(hashes).toBeGreaterThan(100);
});
