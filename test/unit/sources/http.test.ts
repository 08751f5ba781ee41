import { expect, it, vi } from 'vitest';
import { RecallError } from '../../../src/errors.ts';
import { BATCH_RECORDS } from '../../../src/sources/batches.ts';
import { createHttpSource } from '../../../src/sources/http.ts';
import type { SourceBatch } from '../../../src/sources/port.ts';
import { silentLog, startSource } from '../../support/source-runs.ts';

function start(handler?: (batch: SourceBatch) => Promise<undefined>) {
  const http = createHttpSource({ log: silentLog, maxLine: 1_000 });
  const run = startSource(http, handler);
  const push = (body: string, type = 'application/x-ndjson', format = 'canonical') =>
    http.push(Buffer.from(body), type, 'access', format);
  return { http, run, push };
}

it('takes NDJSON, and answers when it is durable', async () => {
  const { run, push } = start();
  expect(await push('{"a":1}\n\n{"a":2}')).toEqual({ accepted: 2, deadLetters: 0 });
  expect(run.texts()).toEqual(['{"a":1}', '{"a":2}']);
  expect(run.batches[0]).toMatchObject({ source: 'http', stream: 'access', format: 'canonical' });
  await run.stop();
});

it('takes a JSON array element by element as it was written, and a single event', async () => {
  const { run, push } = start();
  await push(' [ {"a": 1 }, {broken, "x,]"], [1,2] ,"s"] ', 'application/json; charset=utf-8');
  await push('{"a":\n1}', 'application/json');
  await push('[]', 'application/json');
  expect(run.texts()).toEqual(['{"a": 1 }', '{broken, "x,]"]', '[1,2]', '"s"', '{"a":\n1}']);
  await run.stop();
});

it('refuses an array that does not close, as a whole', async () => {
  const { run, push } = start();
  for (const body of ['[{"a":1}', '[{"a":1}] trailing', '["a', '[{]']) {
    await expect(push(body, 'application/json')).rejects.toMatchObject({ code: 'ERR_DECODE_JSON' });
  }
  expect(run.batches).toEqual([]);
  await run.stop();
});

it('refuses records that are too large one by one', async () => {
  const { run, push } = start();
  const big = JSON.stringify('x'.repeat(2_000));
  await push(`1\n${big}\n`);
  await push(`[${big},1]`, 'application/json');
  const refused = run.batches.flatMap((batch) => batch.records.map((record) => record.refused?.size));
  expect(refused).toEqual([undefined, 2_002, 2_002, undefined]);
  await run.stop();
});

it('cuts a large push into batches and sums what became of them', async () => {
  const { run, push } = start();
  expect(await push('{}\n'.repeat(BATCH_RECORDS + 1))).toEqual({
    accepted: BATCH_RECORDS + 1,
    deadLetters: 0,
  });
  expect(run.batches).toHaveLength(2);
  await run.stop();
});

it('leaves the retry to the caller, who holds the logs', async () => {
  const handler = vi.fn(() => Promise.reject(new RecallError('ERR_STORE_UNAVAILABLE', 'away')));
  const { run, push } = start(handler);
  await expect(push('{}')).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' });
  expect(handler).toHaveBeenCalledTimes(1);
  await run.stop();
});

it('takes nothing before it runs and after it stopped, but finishes what is under way', async () => {
  const idle = createHttpSource({ log: silentLog, maxLine: 10 });
  await expect(idle.push(Buffer.from('{}'), '', 'access', 'canonical')).rejects.toMatchObject({
    code: 'ERR_SOURCE_UNAVAILABLE',
  });
  let release = () => {};
  const { run, push } = start(
    () =>
      new Promise((resolve) => {
        release = () => resolve(undefined);
      }),
  );
  const pushed = push('{}');
  const stopped = vi.fn();
  const stopping = run.stop().then(stopped);
  await expect(push('{}')).rejects.toMatchObject({ code: 'ERR_SOURCE_UNAVAILABLE' });
  expect(stopped).not.toHaveBeenCalled();
  release();
  expect(await pushed).toMatchObject({ accepted: 1 });
  await stopping;
});

it('knows its formats', async () => {
  const { run, push } = start();
  await expect(push('{}', '', 'syslog')).rejects.toMatchObject({ code: 'ERR_CONFIG_INVALID' });
  await run.stop();
});
