import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { keepAlive } from '../../../src/sources/kafka/keep-alive.ts';
import type { KafkaBatch } from '../../../src/sources/kafka/port.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function batchWith(heartbeat: () => Promise<void>): KafkaBatch {
  return {
    topic: 't',
    partition: 0,
    records: [],
    isCurrent: () => true,
    heartbeat,
    commit: () => Promise.resolve(),
  };
}

it('beats while the work lasts, and no longer', async () => {
  const heartbeat = vi.fn(() => Promise.resolve());
  let finish: () => void = () => undefined;
  const work = keepAlive(
    batchWith(heartbeat),
    new AbortController().signal,
    () => new Promise((resolve) => (finish = resolve)),
  );
  await vi.advanceTimersByTimeAsync(60_000);
  const beats = heartbeat.mock.calls.length;
  expect(beats).toBeGreaterThanOrEqual(20);
  finish();
  await work;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(heartbeat).toHaveBeenCalledTimes(beats);
});

it('when the group rebalances: begins nothing new, waits for what is under way, then says so', async () => {
  const rebalance = new Error('rebalance in progress');
  let finish: () => void = () => undefined;
  let inner: AbortSignal | undefined;
  const ended = vi.fn();
  const work = keepAlive(
    batchWith(() => Promise.reject(rebalance)),
    new AbortController().signal,
    (signal) => {
      inner = signal;
      return new Promise((resolve) => (finish = resolve));
    },
  );
  work.catch(ended);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(inner?.aborted).toBe(true);
  expect(ended).not.toHaveBeenCalled();
  finish();
  await expect(work).rejects.toBe(rebalance);
});

it('passes an abort on', async () => {
  const controller = new AbortController();
  let inner: AbortSignal | undefined;
  const work = keepAlive(
    batchWith(() => Promise.resolve()),
    controller.signal,
    (signal) => {
      inner = signal;
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
    },
  );
  expect(inner?.aborted).toBe(false);
  controller.abort();
  await work;
  expect(inner?.aborted).toBe(true);
});
