import { afterEach, expect, it } from 'vitest';
import { as, startApi, type Harness } from './harness.ts';

let api: Harness | undefined;
afterEach(() => api?.close());

it('slows down a runaway script, but no push, no probe and no scrape', async () => {
  api = await startApi({ onBatch: () => Promise.resolve({ accepted: 1, deadLetters: 0 }) });
  const { app } = api;
  let refused;
  for (let turn = 0; turn < 6001; turn += 1) {
    const answer = await app.inject('/v1/detectors');
    if (answer.statusCode === 429) refused = answer;
  }
  expect(refused?.json()).toMatchObject({ status: 429, code: 'rate_limited' });
  expect(Number(refused?.headers['retry-after'])).toBeGreaterThan(0);
  expect((await app.inject({ url: '/metrics', headers: as('reader') })).statusCode).toBe(200);
  expect((await app.inject('/readyz')).statusCode).toBe(200);
  const headers = { ...as('ingest'), 'content-type': 'application/x-ndjson' };
  const push = await app.inject({ method: 'POST', url: '/v1/events/access', headers, payload: '{}' });
  expect(push.statusCode).toBe(200);
}, 30_000);
