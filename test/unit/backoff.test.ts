import { describe, expect, it } from 'vitest';
import { waitAfter } from '../../src/backoff.ts';

const backoff = { first: 100, longest: 1_000 };
const many = (wait: () => number) => Array.from({ length: 500 }, wait);

describe('waitAfter', () => {
  it('stays within a bound that doubles up to the longest', () => {
    for (const [failures, bound] of [
      [1, 100],
      [2, 200],
      [4, 800],
      [5, 1_000],
      [5_000, 1_000],
    ] as const) {
      const waits = many(() => waitAfter(failures, backoff));
      expect(Math.max(...waits)).toBeLessThanOrEqual(bound);
      expect(Math.max(...waits)).toBeGreaterThan(bound * 0.9);
      expect(Math.min(...waits)).toBeLessThan(bound * 0.1);
    }
  });

  it('never asks sooner than the server wants', () => {
    expect(Math.min(...many(() => waitAfter(1, backoff, 5_000)))).toBeGreaterThanOrEqual(5_000);
  });

  it('does not let a server put a stolen token off for a day', () => {
    expect(Math.max(...many(() => waitAfter(1, backoff, 86_400_000)))).toBeLessThanOrEqual(901_000);
  });
});
