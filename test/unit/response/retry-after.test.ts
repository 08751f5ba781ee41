import { describe, expect, it } from 'vitest';
import { parseRetryAfter } from '../../../src/response/retry-after.ts';

const NOW = Date.UTC(2026, 5, 1, 12, 0, 0);

describe('parseRetryAfter', () => {
  it.each([
    ['0', 0],
    ['120', 120_000],
    [' 5 ', 5_000],
    ['Mon, 01 Jun 2026 12:00:30 GMT', 30_000],
    ['Monday, 01-Jun-26 12:00:30 GMT', 30_000],
    ['Mon, 01 Jun 2026 11:00:00 GMT', 0],
  ])('reads %j as %d ms', (header, wait) => {
    expect(parseRetryAfter(header, NOW)).toBe(wait);
  });

  it.each([
    null,
    '',
    'soon',
    '-5',
    '1.5',
    '1e9',
    '12345678901',
    'Mon, 99 Jun 2026 12:00:30 GMT',
    '2026-06-01T12:00:30Z',
  ])('makes nothing of %j', (header) => {
    expect(parseRetryAfter(header, NOW)).toBeUndefined();
  });
});
