import { describe, expect, it } from 'vitest';
import { RecallError } from '../../src/errors.ts';
import { withRetry } from '../../src/retry.ts';
import { createLogger } from '../../src/telemetry/log.ts';

const log = createLogger('silent');
const away = (retryAfter?: number) => new RecallError('ERR_STORE_UNAVAILABLE', 'away', { retryAfter });

describe('withRetry', () => {
  it('tries again what is worth it, and tells of each time', async () => {
    let attempts = 0;
    const told: unknown[] = [];
    const done = await withRetry(
      () => {
        attempts += 1;
        return attempts < 3 ? Promise.reject(away()) : Promise.resolve('done');
      },
      { what: 'writing', log, signal: new AbortController().signal, onRetry: (error) => told.push(error) },
    );
    expect({ done, attempts, told: told.length }).toEqual({ done: 'done', attempts: 3, told: 2 });
  });

  it.each([new RecallError('ERR_STORE_REFUSED', 'a row is wrong'), new Error('a bug')])(
    'throws at once what another attempt will not mend: %s',
    async (error) => {
      let attempts = 0;
      const attempt = () => {
        attempts += 1;
        return Promise.reject(error);
      };
      const signal = new AbortController().signal;
      await expect(withRetry(attempt, { what: 'writing', log, signal })).rejects.toBe(error);
      expect(attempts).toBe(1);
    },
  );

  it('stopped while it waits, throws what it was waiting for', async () => {
    const stop = new AbortController();
    const error = away(600_000);
    const onRetry = () => setImmediate(() => stop.abort());
    const tried = withRetry(() => Promise.reject(error), {
      what: 'writing',
      log,
      signal: stop.signal,
      onRetry,
    });
    await expect(tried).rejects.toBe(error);
  });
});
