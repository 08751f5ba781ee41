import { afterAll, beforeAll, expect, test } from 'vitest';
import type { OpenedStore } from '../../../src/store/open.ts';
import { startClickHouse, type TestClickHouse } from '../../support/clickhouse.ts';
import { NOON, accessEvent, authorizationEvent, sampleFinding } from './samples.ts';

let clickhouse: TestClickHouse;
let store: OpenedStore;

beforeAll(async () => {
  clickhouse = await startClickHouse();
  store = await clickhouse.open();
});
afterAll(async () => {
  await store.close();
  await clickhouse.stop();
});

const only = async (sql: string, params?: Record<string, unknown>) => {
  const rows = await store.query<Record<string, unknown>>(sql, params);
  expect(rows).toHaveLength(1);
  return rows[0]!;
};

test('events delivered twice count once', async () => {
  const again = () =>
    store.write({
      access_events: [
        accessEvent('dup-1', { sub: 'dup' }),
        accessEvent('dup-2', { sub: 'dup', time: NOON + 1 }),
      ],
      authorization_events: [authorizationEvent('dup-a', { sub: 'dup' })],
      findings: [sampleFinding('dup-f', { sub: 'dup' })],
    });
  // The other row makes the second insert a different one: the insert token alone would not find it out.
  await again();
  await store.write({
    access_events: [accessEvent('other', { sub: 'other' }), accessEvent('dup-1', { sub: 'dup' })],
  });
  await again();
  const counted = (table: string) => only(`SELECT count() AS n FROM ${table} FINAL WHERE sub = 'dup'`);
  expect(await counted('access_events')).toEqual({ n: 2 });
  expect(await counted('authorization_events')).toEqual({ n: 1 });
  expect(await counted('findings')).toEqual({ n: 1 });
});

test('a log that spans decades is one insert', async () => {
  const months = Array.from({ length: 150 }, (_, month) =>
    accessEvent(`month-${month}`, { sub: 'decades', time: Date.UTC(2010, month, 15) }),
  );
  await store.write({ access_events: months });
  expect(await only("SELECT count() AS n FROM access_events WHERE sub = 'decades'")).toEqual({ n: 150 });
});

test('a row that ClickHouse refuses fails its own call only', async () => {
  const together = await clickhouse.open({ flush_interval: 300 });
  // The first goes at once; the others wait, and share the next insert.
  const bad = accessEvent('bad', { sub: 'mixed', time: 'yesterday' as unknown as number });
  const outcomes = await Promise.allSettled([
    together.write({ access_events: [accessEvent('good-1', { sub: 'mixed' })] }),
    together.write({ access_events: [bad], findings: [sampleFinding('of-bad', { sub: 'mixed' })] }),
    together.write({ access_events: [accessEvent('good-2', { sub: 'mixed' })] }),
  ]);
  await together.close();
  expect(outcomes).toMatchObject([
    { status: 'fulfilled' },
    { status: 'rejected', reason: { code: 'ERR_STORE_REFUSED' } },
    { status: 'fulfilled' },
  ]);
  expect(
    await store.query("SELECT event_id FROM access_events WHERE sub = 'mixed' ORDER BY event_id"),
  ).toEqual([{ event_id: 'good-1' }, { event_id: 'good-2' }]);
});

test('closing writes what waits, then refuses', async () => {
  const closing = await clickhouse.open({ flush_interval: 60_000 });
  await closing.write({ access_events: [accessEvent('first', { sub: 'last' })] });
  const written = closing.write({ access_events: [accessEvent('last', { sub: 'last' })] });
  await closing.close();
  await written;
  await expect(closing.write({ access_events: [accessEvent('late')] })).rejects.toMatchObject({
    code: 'ERR_STORE_UNAVAILABLE',
  });
  expect(await only("SELECT count() AS n FROM access_events WHERE sub = 'last'")).toEqual({ n: 2 });
});

test('a server that is not there, a wrong password and a wrong query say so by code', async () => {
  await expect(clickhouse.open({ url: 'http://127.0.0.1:1' })).rejects.toMatchObject({
    code: 'ERR_STORE_UNAVAILABLE',
    message: expect.stringContaining('http://127.0.0.1:1') as unknown,
  });
  await expect(clickhouse.open({ username: 'nobody' })).rejects.toMatchObject({ code: 'ERR_STORE_REFUSED' });
  await expect(store.query('SELECT nonsense FROM nowhere')).rejects.toMatchObject({
    code: 'ERR_STORE_REFUSED',
  });
});
