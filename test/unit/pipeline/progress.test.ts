import { describe, expect, test } from 'vitest';
import {
  decodeProgress,
  encodeProgress,
  isLate,
  newProgress,
  takeOffset,
} from '../../../src/pipeline/progress.ts';

test('a record is taken once, whatever comes again', () => {
  const taken: Record<string, number> = {};
  expect([0, 1, 5, 1, 5, 6].map((offset) => takeOffset(taken, 'log/0', offset))).toEqual([
    true,
    true,
    true,
    false,
    false,
    true,
  ]);
  expect(takeOffset(taken, 'log/1', 3)).toBe(true);
  expect(taken).toEqual({ 'log/0': 6, 'log/1': 3 });
});

describe('lateness', () => {
  test('is measured against the latest event of the same origin', () => {
    const watermarks: Record<string, number> = {};
    const late = (from: string, time: number) => isLate(watermarks, from, time, 100);
    expect(late('a', 1000)).toBe(false);
    expect(late('a', 900)).toBe(false);
    expect(late('a', 899)).toBe(true);
    expect(late('b', 10)).toBe(false);
    expect(late('a', 1001)).toBe(false);
    expect(late('a', 900)).toBe(true);
  });

  test('a late event does not move the watermark', () => {
    const watermarks = { a: 1000 };
    isLate(watermarks, 'a', 1, 100);
    isLate(watermarks, 'a', 950, 100);
    expect(watermarks).toEqual({ a: 1000 });
  });
});

test('what is kept of a partition comes back as it was', () => {
  const progress = { ...newProgress(), offsets: { 'log/0': 7 }, watermarks: { 'access log/0': 12 } };
  expect(decodeProgress('local', encodeProgress(progress))).toEqual(progress);
  expect(decodeProgress('local', null)).toEqual(newProgress());
});

test('what a newer version has written is refused, naming the partition', () => {
  expect(() => decodeProgress('group/3', '{"v":2}')).toThrow(
    expect.objectContaining({
      code: 'ERR_STATE_VERSION',
      message: expect.stringContaining('group/3') as string,
    }) as Error,
  );
});
