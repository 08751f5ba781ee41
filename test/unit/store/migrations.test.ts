import { expect, test } from 'vitest';
import { config } from '../../../schemas/config.ts';
import { onCluster, readMigrations, renderMigration } from '../../../src/store/migrations.ts';

const single = config.parse({ store: { database: 'recall' } }).store;
const cluster = { ...single, cluster: 'main' };
const replicated = { ...cluster, on_cluster: true, replicated: true };

test('placeholders are filled; local tables have their own name on a cluster only', () => {
  const text =
    'CREATE TABLE {{database}}.{{local:events}} (a UInt8);\n-- @cluster\nCREATE TABLE {{database}}.events;\n';
  expect(renderMigration('x.sql', text, single)).toEqual(['CREATE TABLE recall.events (a UInt8)']);
  expect(renderMigration('x.sql', text, cluster)).toEqual([
    'CREATE TABLE recall.events_local (a UInt8)',
    'CREATE TABLE recall.events',
  ]);
});

test('retention is in seconds, and never so long that ClickHouse would count past 2106', () => {
  const render = (events: number) =>
    renderMigration('x.sql', '{{retention.events}};', {
      ...single,
      retention: { ...single.retention, events },
    });
  expect(render(86_400_000)).toEqual(['86400']);
  expect(render(200 * 365 * 86_400_000)).toEqual([String(50 * 365 * 86_400)]);
});

test('a placeholder nobody knows is an error that names the file', () => {
  expect(() => renderMigration('0009_x.sql', 'SELECT {{databse}};', single)).toThrow(
    expect.objectContaining({
      code: 'ERR_MIGRATION',
      message: expect.stringContaining('0009_x.sql') as unknown,
    }),
  );
});

test('comments are no statements, and a semicolon inside a line ends none', () => {
  const text = "-- about; this\n\nSELECT 'a;b'; -- kept on its line\nSELECT 2;\n";
  expect(renderMigration('x.sql', text, single)).toEqual(["SELECT 'a;b'; -- kept on its line\nSELECT 2"]);
});

test('the files render without leftovers, numbered ones first, each once', async () => {
  for (const store of [single, cluster]) {
    const migrations = await readMigrations(store);
    expect(migrations.length).toBeGreaterThan(5);
    const numbers = migrations
      .filter(({ repeatable }) => !repeatable)
      .map(({ file }) => Number(file.slice(0, 4)));
    expect(numbers).toEqual(numbers.map((_, index) => index));
    expect(migrations.map(({ repeatable }) => repeatable)).toEqual(
      migrations.map(({ repeatable }) => repeatable).sort((a, b) => Number(a) - Number(b)),
    );
    for (const { file, statements } of migrations) {
      expect(statements.length, file).toBeGreaterThan(0);
      for (const statement of statements) {
        expect(statement).not.toMatch(/\{\{|\}\}|-- @/);
        expect(statement).toMatch(
          /^(CREATE (TABLE|VIEW|MATERIALIZED VIEW) IF NOT EXISTS|DROP TABLE IF EXISTS|ALTER TABLE \S+ (ADD COLUMN IF NOT EXISTS|MODIFY (COLUMN|TTL))) /,
        );
      }
    }
  }
});

test('on a cluster there is a Distributed table before every local one', async () => {
  const text = (await readMigrations(cluster)).flatMap(({ statements }) => statements).join('\n');
  const locals = [...text.matchAll(/CREATE TABLE IF NOT EXISTS recall\.(\w+)_local/g)].map(
    ([, name]) => name,
  );
  expect(locals.length).toBeGreaterThan(10);
  for (const name of locals) expect(text).toContain(`ENGINE = Distributed('main', recall, ${name}_local, `);
});

test('only a changed retention changes the checksum of the repeatable file', async () => {
  const checksums = async (events: number) =>
    new Map(
      (await readMigrations({ ...single, retention: { ...single.retention, events } })).map((one) => [
        one.file,
        one.checksum,
      ]),
    );
  const [before, after] = [await checksums(86_400_000), await checksums(2 * 86_400_000)];
  expect([...before.keys()].filter((file) => before.get(file) !== after.get(file))).toEqual([
    'repeat_retention.sql',
  ]);
});

test.each([
  ['ReplacingMergeTree', "ReplicatedReplacingMergeTree(PATH, '{replica}')"],
  ['ReplacingMergeTree(version)', "ReplicatedReplacingMergeTree(PATH, '{replica}', version)"],
  ['AggregatingMergeTree', "ReplicatedAggregatingMergeTree(PATH, '{replica}')"],
  ['MergeTree()', "ReplicatedMergeTree(PATH, '{replica}')"],
])('replicated, %s becomes %s', (engine, expected) => {
  const create = `CREATE TABLE IF NOT EXISTS {{database}}.{{local:events}}\n(a UInt8)\nENGINE = ${engine}\nORDER BY a`;
  const path = "'/clickhouse/tables/{shard}/recall/events_local'";
  expect(renderMigration('x.sql', `${create};\n`, replicated)).toEqual([
    `CREATE TABLE IF NOT EXISTS recall.events_local\n(a UInt8)\nENGINE = ${expected.replace('PATH', path)}\nORDER BY a`,
  ]);
});

test('a table of rows without an engine that replicates is an error', () => {
  const text = 'CREATE TABLE IF NOT EXISTS {{database}}.{{local:events}} (a UInt8) ENGINE = Log;\n';
  expect(() => renderMigration('0009_x.sql', text, replicated)).toThrow(
    expect.objectContaining({
      code: 'ERR_MIGRATION',
      message: expect.stringContaining('0009_x.sql') as unknown,
    }),
  );
});

test('replicated, each table of rows has a path of its own; what each server keeps for itself has none', async () => {
  const text = (await readMigrations(replicated)).flatMap(({ statements }) => statements).join('\n');
  const local = [...text.matchAll(/CREATE TABLE IF NOT EXISTS recall\.(\w+_local) /g)].map(
    ([, name]) => name,
  );
  const paths = [...text.matchAll(/ENGINE = Replicated\w+\('([^']+)', '\{replica\}'/g)].map(
    ([, path]) => path,
  );
  expect(local.length).toBeGreaterThan(10);
  expect(paths).toEqual(local.map((name) => `/clickhouse/tables/{shard}/recall/${name}`));
  expect(text.match(/^ENGINE = (?!Replicated|Distributed).*$/gm)).toEqual([
    'ENGINE = ReplacingMergeTree(applied_at)',
  ]);
});

test('ON CLUSTER stands in every statement, behind the name, and is no change of the migration', async () => {
  const directly = await readMigrations(cluster);
  const atOnce = await readMigrations({ ...cluster, on_cluster: true });
  expect(atOnce.map(({ checksum }) => checksum)).toEqual(directly.map(({ checksum }) => checksum));
  expect((await readMigrations(replicated)).map(({ checksum }) => checksum)).not.toEqual(
    directly.map(({ checksum }) => checksum),
  );
  for (const [index, { statements }] of atOnce.entries()) {
    for (const statement of statements) expect(statement).toMatch(/^[A-Z ]+ recall\.\w+ ON CLUSTER 'main'/);
    expect(statements.map((statement) => statement.replace(" ON CLUSTER 'main'", ''))).toEqual(
      directly[index]!.statements,
    );
  }
});

test.each([
  ['DROP TABLE IF EXISTS recall.a SYNC', "DROP TABLE IF EXISTS recall.a ON CLUSTER 'main' SYNC"],
  [
    'CREATE DATABASE IF NOT EXISTS recall ENGINE = Atomic',
    "CREATE DATABASE IF NOT EXISTS recall ON CLUSTER 'main' ENGINE = Atomic",
  ],
])('%s, for all servers at once', (statement, expected) => {
  expect(onCluster('x.sql', statement, cluster)).toBe(expected);
});

test('a statement that would run on one server only is an error', () => {
  expect(() => onCluster('0009_x.sql', 'INSERT INTO recall.a SELECT 1', cluster)).toThrow(
    expect.objectContaining({
      code: 'ERR_MIGRATION',
      message: expect.stringContaining('0009_x.sql') as unknown,
    }),
  );
});
