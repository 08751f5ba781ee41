import { describe, expect, it, vi } from 'vitest';
import { RecallError } from '../../../src/errors.ts';
import { handOver } from '../../../src/sources/hand-over.ts';
import { createHealth } from '../../../src/sources/health.ts';
import type { SourceBatch } from '../../../src/sources/port.ts';
import { silentLog } from '../../support/source-runs.ts';

const batch: SourceBatch = { source: 'test', stream: 'access', format: 'canonical', records: [] };
const done = { accepted: 0, deadLetters: 0 };
const away = () => new RecallError('ERR_STORE_UNAVAILABLE', 'store away');

function start(onBatch: () => Promise<typeof done>) {
  const controller = new AbortController();
  const health = createHealth('reading');
  const result = handOver(batch, onBatch, { log: silentLog, health, signal: controller.signal });
  return { controller, health, result };
}

describe('handOver', () => {
  it('throws what no retry helps, at once', async () => {
    const onBatch = vi.fn(() => Promise.reject(new RecallError('ERR_STORE_REFUSED', 'no')));
    await expect(start(onBatch).result).rejects.toMatchObject({ code: 'ERR_STORE_REFUSED' });
    await expect(start(() => Promise.reject(new TypeError('bug'))).result).rejects.toThrow(TypeError);
    expect(onBatch).toHaveBeenCalledTimes(1);
  });

  it('hands the same batch over until it is taken; health tells of the wait', async () => {
    let attempts = 0;
    let takes: (outcome: typeof done) => void = () => undefined;
    const { health, result } = start(() => {
      attempts += 1;
      return attempts < 3 ? Promise.reject(away()) : new Promise((resolve) => (takes = resolve));
    });
    await vi.waitFor(() => {
      expect(attempts).toBe(3);
    });
    expect(health.current()).toEqual({
      ok: false,
      detail: 'a batch of test waits, attempt 2 failed: store away',
    });
    takes(done);
    expect(await result).toBe(done);
    expect(attempts).toBe(3);
    expect(health.current()).toEqual({ ok: true, detail: 'reading' });
  });

  it('does not hand over again what another worker has taken', async () => {
    const onBatch = vi.fn(() => Promise.reject(new RecallError('ERR_STATE_FENCED', 'taken')));
    await expect(start(onBatch).result).rejects.toMatchObject({ code: 'ERR_STATE_FENCED' });
    expect(onBatch).toHaveBeenCalledTimes(1);
  });

  it('gives up without an outcome when aborted', async () => {
    const onBatch = vi.fn(() => Promise.reject(away()));
    const { controller, result } = start(onBatch);
    await vi.waitFor(() => {
      expect(onBatch).toHaveBeenCalled();
    });
    controller.abort();
    expect(await result).toBeNull();
    const calls = onBatch.mock.calls.length;
    await new Promise(setImmediate);
    expect(onBatch).toHaveBeenCalledTimes(calls);
  });
});
