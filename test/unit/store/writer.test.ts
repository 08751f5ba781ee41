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

/** A writer whose table `a` had an insert just now, so that what follows waits. */
async function busyWriter(to: ReturnType<typeof destination>, flushInterval: number, flushRows = 1000) {
  const writer = createWriter({ insert: to.insert, flushInterval, flushRows });
  const first = writer.add([rows('a', 'first')]);
  await vi.advanceTimersByTimeAsync(0);
  to.release();
  await first;
  to.inserts.length = 0;
  return writer;
}

test('an idle table takes rows at once, and a call resolves when they are acknowledged', async () => {
  const to = destination({ manual: true });
  const writer = createWriter({ insert: to.insert, flushInterval: 60_000, flushRows: 1000 });
  const first = writer.add([rows('a', '1', '2'), rows('b', 'x')]);
  await vi.advanceTimersByTimeAsync(0);
  expect(to.inserts).toMatchObject([
    { table: 'a', lines: ['1', '2'] },
    { table: 'b', lines: ['x'] },
  ]);
  to.release();
  // Its other table is still under way.
  expect(await settled(first)).toBe('pending');
  to.release();
  expect(await settled(first)).toBe('resolved');
});

test('after an insert, calls share the next one, an interval after the last began', async () => {
  const to = destination();
  const writer = await busyWriter(to, 100);
  void writer.add([rows('a', '1')]);
  await vi.advanceTimersByTimeAsync(99);
  void writer.add([rows('a', '2', '3')]);
  await vi.advanceTimersByTimeAsync(0);
  expect(to.lines()).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(to.lines()).toEqual([['1', '2', '3']]);
  // Idle again for an interval: no delay.
  await vi.advanceTimersByTimeAsync(100);
  void writer.add([rows('a', '4')]);
  await vi.advanceTimersByTimeAsync(0);
  expect(to.lines()).toEqual([['1', '2', '3'], ['4']]);
});

test('enough rows go at once, whole calls at a time', async () => {
  const to = destination();
  const writer = await busyWriter(to, 60_000, 3);
  await Promise.all([writer.add([rows('a', '1', '2')]), writer.add([rows('a', '3', '4')])]);
  expect(to.lines()).toEqual([['1', '2', '3', '4']]);
});

test('urgent rows go at once, and take along what waits', async () => {
  const to = destination();
  const writer = await busyWriter(to, 60_000);
  void writer.add([rows('a', '1')]);
  void writer.add([rows('a', '2')], { urgent: true });
  await vi.advanceTimersByTimeAsync(0);
  expect(to.lines()).toEqual([['1', '2']]);
});

test('what comes while an insert is under way makes one next insert, not before its time', async () => {
  const to = destination({ manual: true });
  const writer = createWriter({ insert: to.insert, flushInterval: 100, flushRows: 1000 });
  void writer.add([rows('a', '1')]);
  await vi.advanceTimersByTimeAsync(10);
  void writer.add([rows('a', '2')]);
  await vi.advanceTimersByTimeAsync(10);
  to.release();
  await vi.advanceTimersByTimeAsync(79);
  void writer.add([rows('a', '3')]);
  await vi.advanceTimersByTimeAsync(0);
  expect(to.lines()).toEqual([['1']]);
  await vi.advanceTimersByTimeAsync(1);
  expect(to.lines()).toEqual([['1'], ['2', '3']]);
});

test.each([
  ['that waited its time', 500, false],
  ['that are urgent', 0, true],
])('rows %s during an insert go as soon as that one is done, and not before', async (_, wait, urgent) => {
  const to = destination({ manual: true });
  const writer = createWriter({ insert: to.insert, flushInterval: 100, flushRows: 1000 });
  void writer.add([rows('a', '1')]);
  await vi.advanceTimersByTimeAsync(0);
  void writer.add([rows('a', '2')], { urgent });
  await vi.advanceTimersByTimeAsync(wait);
  expect(to.lines()).toEqual([['1']]);
  to.release();
  await vi.advanceTimersByTimeAsync(0);
  expect(to.lines()).toEqual([['1'], ['2']]);
});

test('a refused shared insert is tried apart: only the call with the bad row fails', async () => {
  const to = destination();
  const writer = await busyWriter(to, 1);
  const calls = [writer.add([rows('a', '1')]), writer.add([rows('a', 'bad')]), writer.add([rows('a', '2')])];
  const outcomes = Promise.allSettled(calls);
  await vi.advanceTimersByTimeAsync(1);
  expect((await outcomes).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(to.lines()).toEqual([['1', 'bad', '2'], ['1'], ['bad'], ['2']]);
});

test('an unavailable server fails all calls of the insert, once', async () => {
  const to = destination();
  const writer = await busyWriter(to, 1);
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
  const to = destination({ manual: true });
  const writer = await busyWriter(to, 60_000);
  const waits = writer.add([rows('a', '1')]);
  await vi.advanceTimersByTimeAsync(0);
  let encoded: (chunks: Uint8Array[]) => void = () => undefined;
  const encode = () => new Promise<Uint8Array[]>((resolve) => (encoded = resolve));
  const encodes = writer.add([{ statement: 'a', count: 1, encode }]);
  const closed = writer.close();
  await expect(writer.add([rows('a', 'late')])).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' });
  await vi.advanceTimersByTimeAsync(0);
  expect(to.lines()).toEqual([['1']]);
  encoded([Buffer.from('2\n')]);
  await vi.advanceTimersByTimeAsync(0);
  // One insert a table, also now; and closed is when all have answered.
  expect(to.lines()).toEqual([['1']]);
  expect(await settled(closed)).toBe('pending');
  to.release();
  expect(await settled(waits)).toBe('resolved');
  expect(to.lines()).toEqual([['1'], ['2']]);
  expect(await settled(closed)).toBe('pending');
  to.release();
  expect(await settled(encodes)).toBe('resolved');
  expect(await settled(closed)).toBe('resolved');
});

test('closing ends at its deadline: rows that no insert took fail as unavailable', async () => {
  const to = destination({ manual: true });
  const writer = createWriter({ insert: to.insert, flushInterval: 1, flushRows: 1000 });
  const taken = writer.add([rows('a', '1')]);
  await vi.advanceTimersByTimeAsync(0);
  const waits = writer.add([rows('a', '2')]);
  let encoded: (chunks: Uint8Array[]) => void = () => undefined;
  const encode = () => new Promise<Uint8Array[]>((resolve) => (encoded = resolve));
  const encodes = writer.add([{ statement: 'b', count: 1, encode }]);
  const outcomes = Promise.allSettled([waits, encodes]);
  const closed = writer.close(500);
  await vi.advanceTimersByTimeAsync(499);
  expect(await settled(closed)).toBe('pending');
  await vi.advanceTimersByTimeAsync(1);
  expect(await settled(closed)).toBe('resolved');
  encoded([Buffer.from('3\n')]);
  expect(await outcomes).toMatchObject([
    { reason: { code: 'ERR_STORE_UNAVAILABLE' } },
    { reason: { code: 'ERR_STORE_UNAVAILABLE' } },
  ]);
  // What an insert took is that insert's to answer.
  to.release();
  expect(await settled(taken)).toBe('resolved');
  expect(to.lines()).toEqual([['1']]);
});

test('closing with time to spare does not wait for its deadline', async () => {
  const to = destination();
  const writer = await busyWriter(to, 60_000);
  const waits = writer.add([rows('a', '1')]);
  await vi.advanceTimersByTimeAsync(0);
  expect(await settled(writer.close(60_000))).toBe('resolved');
  await waits;
  expect(vi.getTimerCount()).toBe(0);
});
