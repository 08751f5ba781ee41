import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RecallError } from '../../../src/errors.ts';
import { createHealth } from '../../../src/pipeline/health.ts';
import type { Source } from '../../../src/sources/port.ts';
import { createLogger } from '../../../src/telemetry/log.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A store whose pings end as told, which a real one does not at will. */
function pinged() {
  const pings: { resolve: () => void; reject: (error: Error) => void }[] = [];
  return { pings, ping: () => new Promise<void>((resolve, reject) => pings.push({ resolve, reject })) };
}

function healthOf(ping: () => Promise<void>, sources: Source[] = []) {
  const health = createHealth({
    store: { ping },
    sources,
    outbox: {
      pending: () => 3,
      health: () => ({ 'https://as.example': { ok: false, detail: 'circuit open' } }),
    },
    partitions: () => 2,
    log: createLogger('silent'),
  });
  return health;
}

const source = (ok: boolean): Source => ({
  name: 'kafka:gateway-access',
  run: () => Promise.resolve(),
  health: () => ({ ok, detail: ok ? 'reading' : 'kafka-1:9092 does not answer' }),
});

describe('a worker', () => {
  it('is ready while it takes events and stores them; what else is away is told, no more', () => {
    const health = healthOf(pinged().ping, [source(true)]);
    health.watchSinks(() => ({ webhook: { ok: false, detail: '5 waiting' } }));
    const { ready, components } = health.report();
    expect(ready).toBe(true);
    expect(components).toMatchObject({
      store: { ok: true },
      'source kafka:gateway-access': { ok: true },
      'responder https://as.example': { ok: false, detail: 'circuit open' },
      'sink webhook': { ok: false },
      outbox: { detail: '3 actions wait' },
      partitions: { detail: '2 open' },
    });
    health.close();
  });

  it('is not ready while a source is away', () => {
    const health = healthOf(pinged().ping, [source(false)]);
    expect(health.report()).toMatchObject({
      ready: false,
      components: { 'source kafka:gateway-access': { ok: false, detail: 'kafka-1:9092 does not answer' } },
    });
    health.close();
  });
});

describe('the store', () => {
  it('counts as away after three seconds without an answer, is asked by one ping at a time, and comes back', async () => {
    const { pings, ping } = pinged();
    const health = healthOf(ping);
    await vi.advanceTimersByTimeAsync(2_900);
    expect(health.report().ready).toBe(true);
    await vi.advanceTimersByTimeAsync(200);
    expect(health.report()).toMatchObject({
      ready: false,
      components: { store: { detail: 'no answer for 3 s' } },
    });
    await vi.advanceTimersByTimeAsync(20_000);
    expect(pings).toHaveLength(1);
    pings[0]?.resolve();
    await vi.advanceTimersByTimeAsync(0);
    expect(health.report().ready).toBe(true);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(pings).toHaveLength(2);
    health.close();
  });

  it('that refuses a ping is away with the reason', async () => {
    const { pings, ping } = pinged();
    const health = healthOf(ping);
    pings[0]?.reject(
      new RecallError('ERR_STORE_UNAVAILABLE', 'ClickHouse at http://127.0.0.1:1 cannot be reached'),
    );
    await vi.advanceTimersByTimeAsync(0);
    expect(health.report().components['store']).toEqual({
      ok: false,
      detail: 'ClickHouse at http://127.0.0.1:1 cannot be reached',
    });
    health.close();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(pings).toHaveLength(1);
  });
});
