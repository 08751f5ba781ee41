import { describe, expect, it } from 'vitest';
import { createProgress, formatElapsed, formatProgress } from '../../../src/cli/progress.ts';

describe('formatElapsed', () => {
  it.each([
    [0, '0s'],
    [499, '0s'],
    [59_499, '59s'],
    [59_500, '1m00s'],
    [185_000, '3m05s'],
    [3_599_600, '1h00m'],
    [7_620_000, '2h07m'],
  ])('of %i ms is %s', (ms, text) => {
    expect(formatElapsed(ms)).toBe(text);
  });
});

describe('formatProgress', () => {
  const state = { label: 'backtest', unit: 'events', done: 420_000, elapsed: 4000 };

  it('shows share, count, rate and both times where the whole is known', () => {
    expect(formatProgress({ ...state, share: 0.4 })).toBe(
      'backtest  40%  420,000 events  105,000/s  4s elapsed  6s left',
    );
  });

  it('shows neither share nor time left where it is not', () => {
    expect(formatProgress({ ...state, share: undefined })).toBe(
      'backtest  420,000 events  105,000/s  4s elapsed',
    );
  });

  it('knows no rate and no time left before anything is done', () => {
    expect(formatProgress({ ...state, done: 0, elapsed: 0, share: 0 })).toBe(
      'backtest  0%  0 events  0s elapsed',
    );
  });

  it('never shows more than the whole', () => {
    expect(formatProgress({ ...state, share: 1.2 })).toBe(
      'backtest  100%  420,000 events  105,000/s  4s elapsed',
    );
  });
});

describe('createProgress', () => {
  function record(options: { isTTY: boolean; quiet?: boolean; columns?: number; total?: number }) {
    const written: string[] = [];
    let now = 0;
    const progress = createProgress({
      label: 'work',
      unit: 'events',
      quiet: options.quiet,
      total: options.total,
      output: { write: (text) => written.push(text), isTTY: options.isTTY, columns: options.columns },
      clock: () => now,
    });
    return { progress, written, wait: (ms: number) => (now += ms) };
  }

  it('writes a line every five seconds where nobody watches', () => {
    const { progress, written, wait } = record({ isTTY: false, total: 100 });
    for (let done = 1; done <= 12; done += 1) {
      wait(1000);
      progress.update(done);
    }
    progress.finish();
    expect(written).toEqual([
      'work  5%  5 events  1/s  5s elapsed  1m35s left\n',
      'work  10%  10 events  1/s  10s elapsed  1m30s left\n',
      'work  12%  12 events  1/s  12s elapsed  1m28s left\n',
    ]);
  });

  it('rewrites one line on a terminal, at most ten times a second and never wider than it', () => {
    const { progress, written, wait } = record({ isTTY: true, columns: 16 });
    for (let done = 1; done <= 20; done += 1) {
      wait(10);
      progress.update(done);
    }
    progress.finish();
    expect(written).toEqual([
      '\rwork  10 events\u001B[K',
      '\rwork  20 events\u001B[K',
      '\rwork  20 events\u001B[K\n',
    ]);
  });

  it('takes a share that is better known than the count', () => {
    const { progress, written, wait } = record({ isTTY: false });
    wait(5000);
    progress.update(7, 0.5);
    expect(written).toEqual(['work  50%  7 events  1/s  5s elapsed  5s left\n']);
  });

  it('says nothing where it shall be quiet', () => {
    const { progress, written, wait } = record({ isTTY: true, quiet: true });
    wait(10_000);
    progress.update(1);
    progress.finish();
    expect(written).toEqual([]);
  });
});
