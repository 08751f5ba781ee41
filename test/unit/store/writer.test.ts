import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { RecallError } from '../../../src/errors.ts';
import type { TableRows } from '../../../src/store/rows.ts';
import { createWriter } from '../../../src/store/writer.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

/** Rows of one call: one line each. */
const rows = (table: string, ...lines: string[]): TableRows => ({
  statement: table,
  count: lines.length,
  encode: () => Promise.resolve(lines.map((line) => Buffer.from(`${line}\n`))),
});

/** A destination that takes inserts when told to; refuses any with the row `bad`. */
function destination({ manual = false } = {}) {
  const inserts: { table: string; lines: string[]; token: string }[] = [];
  const waiting: (() => void)[] = [];
  return {
    inserts,
    lines: () => inserts.map((insert) => insert.lines),
    release: () => waiting.shift()?.(),
    insert: async (table: string, chunks: readonly Uint8Array[], token: string) => {
      const lines = Buffer.concat([...chunks])
        .toString()
        .trimEnd()
        .split('\n');
      inserts.push({ table, lines, token });
      if (manual) await new Promise<void>((resolve) => waiting.push(resolve));
      if (lines.includes('bad')) throw new RecallError('ERR_STORE_REFUSED', 'bad row');
      if (lines.includes('down')) throw new RecallError('ERR_STORE_UNAVAILABLE', 'not now');
    },
  };
}

const settled = async (promise: Promise<void>) => {
  let state = 'pending';
  promise.then(
    () => (state = 'resolved'),
    () => (state = 'rejected'),
  );
  await vi.advanceTimersByTimeAsync(0);
  return state;
};

test('calls within the interval share one insert a table, and resolve when it is acknowledged', async () => {
  const to = destination({ manual: true });
  const writer = createWriter({ insert: to.insert, flushInterval: 100, flushRows: 1000 });
  const first = writer.add([rows('a', '1', '2'), rows('b', 'x')]);
  await vi.advanceTimersByTimeAsync(99);
  const second = writer.add([rows('a', '3')]);
  await vi.advanceTimersByTimeAsync(0);
  expect(to.inserts).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(to.inserts).toMatchObject([
    { table: 'a', lines: ['1', '2', '3'] },
    { table: 'b', lines: ['x'] },
  ]);
  to.release();
  expect(await settled(second)).toBe('resolved');
  // Its other table is still under way.
  expect(await settled(first)).toBe('pending');
  to.release();
  expect(await settled(first)).toBe('resolved');
});

test('enough rows go at once, whole calls at a time', async () => {
  const to = destination();
  const writer = createWriter({ insert: to.insert, flushInterval: 60_000, flushRows: 3 });
  await Promise.all([writer.add([rows('a', '1', '2')]), writer.add([rows('a', '3', '4')])]);
  expect(to.lines()).toEqual([['1', '2', '3', '4']]);
});

test('what comes while an insert is under way waits for it, and for company', async () => {
  const to = destination({ manual: true });
  const writer = createWriter({ insert: to.insert, flushInterval: 100, flushRows: 1000 });
  void writer.add([rows('a', '1')]);
  await vi.advanceTimersByTimeAsync(100);
  void writer.add([rows('a', '2')]);
  await vi.advanceTimersByTimeAsync(10);
  to.release();
  await vi.advanceTimersByTimeAsync(80);
  expect(to.lines()).toEqual([['1']]);
  void writer.add([rows('a', '3')]);
  await vi.advanceTimersByTimeAsync(10);
  expect(to.lines()).toEqual([['1'], ['2', '3']]);
});

test('what waited its time during an insert goes as soon as that one is done', async () => {
  const to = destination({ manual: true });
  const writer = createWriter({ insert: to.insert, flushInterval: 100, flushRows: 1000 });
  void writer.add([rows('a', '1')]);
  await vi.advanceTimersByTimeAsync(100);
  void writer.add([rows('a', '2')]);
  await vi.advanceTimersByTimeAsync(500);
  expect(to.lines()).toEqual([['1']]);
  to.release();
  await vi.advanceTimersByTimeAsync(0);
  expect(to.lines()).toEqual([['1'], ['2']]);
});

test('a refused shared insert is tried apart: only the call with the bad row fails', async () => {
  const to = destination();
  const writer = createWriter({ insert: to.insert, flushInterval: 1, flushRows: 1000 });
  const calls = [writer.add([rows('a', '1')]), writer.add([rows('a', 'bad')]), writer.add([rows('a', '2')])];
  const outcomes = Promise.allSettled(calls);
  await vi.advanceTimersByTimeAsync(1);
  expect((await outcomes).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(to.lines()).toEqual([['1', 'bad', '2'], ['1'], ['bad'], ['2']]);
});

test('an unavailable server fails all calls of the insert, once', async () => {
  const to = destination();
  const writer = createWriter({ insert: to.insert, flushInterval: 1, flushRows: 1000 });
  const outcomes = Promise.allSettled([writer.add([rows('a', '1')]), writer.add([rows('a', 'down')])]);
  await vi.advanceTimersByTimeAsync(1);
  expect(await outcomes).toMatchObject([
    { reason: { code: 'ERR_STORE_UNAVAILABLE' } },
    { reason: { code: 'ERR_STORE_UNAVAILABLE' } },
  ]);
  expect(to.inserts).toHaveLength(1);
});

test('a call that fails in two ways is to be tried again', async () => {
  const to = destination();
  const writer = createWriter({ insert: to.insert, flushInterval: 1, flushRows: 1000 });
  const outcome = expect(writer.add([rows('a', 'bad'), rows('b', 'down')])).rejects.toMatchObject({
    code: 'ERR_STORE_UNAVAILABLE',
  });
  await vi.advanceTimersByTimeAsync(1);
  await outcome;
});

test('the same rows have the same token, others another', async () => {
  const to = destination();
  const writer = createWriter({ insert: to.insert, flushInterval: 1, flushRows: 1 });
  for (const line of ['1', '1', '2']) await writer.add([rows('a', line)]);
  const [first, again, other] = to.inserts.map(({ token }) => token);
  expect(again).toBe(first);
  expect(other).not.toBe(first);
});

test('closing sends what waits at once, waits for calls that are still encoding, then refuses', async () => {
  const to = destination();
  const writer = createWriter({ insert: to.insert, flushInterval: 60_000, flushRows: 1000 });
  const waits = writer.add([rows('a', '1')]);
  await vi.advanceTimersByTimeAsync(0);
  let encoded: (chunks: Uint8Array[]) => void = () => undefined;
  const encode = () => new Promise<Uint8Array[]>((resolve) => (encoded = resolve));
  const encodes = writer.add([{ statement: 'a', count: 1, encode }]);
  const closed = writer.close();
  await vi.advanceTimersByTimeAsync(0);
  expect(to.lines()).toEqual([['1']]);
  encoded([Buffer.from('2\n')]);
  await vi.advanceTimersByTimeAsync(0);
  await Promise.all([waits, encodes, closed]);
  expect(to.lines()).toEqual([['1'], ['2']]);
  await expect(writer.add([rows('a', '3')])).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' });
});
