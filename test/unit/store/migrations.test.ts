import { expect, test } from 'vitest';
import { config } from '../../../schemas/config.ts';
import { readMigrations, renderMigration } from '../../../src/store/migrations.ts';

const single = config.parse({ store: { database: 'recall' } }).store;
const cluster = { ...single, cluster: 'main' };

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
          /^(CREATE (TABLE|VIEW|MATERIALIZED VIEW) IF NOT EXISTS|ALTER TABLE .* MODIFY TTL) ?/,
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
