import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { RecallError } from '../../../src/errors.ts';
import type { BatchHandler, SourceRecord } from '../../../src/sources/port.ts';
import { as, startApi, type Harness, type HarnessOptions } from './harness.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const NDJSON = { 'content-type': 'application/x-ndjson' };
const line = (id: number) =>
  JSON.stringify({ time: '2026-03-01T09:30:00Z', client_ip: '192.0.2.1', sub: `user-${id}` });
const lines = [1, 2, 3].map(line).join('\n');

let api: Harness | undefined;
afterEach(() => api?.close());

/** An API that keeps what is pushed, and takes every record that a source does not refuse. */
async function start(options: HarnessOptions = {}) {
  const records: SourceRecord[] = [];
  const batches: { stream: string; format: string }[] = [];
  const onBatch: BatchHandler = (batch) => {
    batches.push({ stream: batch.stream, format: batch.format });
    records.push(...batch.records);
    const deadLetters = batch.records.filter(({ refused }) => refused !== undefined).length;
    return Promise.resolve({ accepted: batch.records.length - deadLetters, deadLetters });
  };
  api = await startApi({ onBatch, ...options });
  const { app } = api;
  const push = (
    payload: string | Buffer,
    headers: Record<string, string> = NDJSON,
    url = '/v1/events/access',
  ) => app.inject({ method: 'POST', url, headers: { ...as('ingest'), ...headers }, payload });
  return { app, push, batches, texts: () => records.map(({ bytes }) => Buffer.from(bytes).toString()) };
}

describe('push', () => {
  it.each(['application/x-ndjson', 'application/jsonl', 'application/x-ndjson; charset=utf-8'])(
    'takes lines as %s',
    async (type) => {
      const { push, texts } = await start();
      const answer = await push(`${lines}\n`, { 'content-type': type });
      expect(answer.statusCode).toBe(200);
      expect(answer.json()).toEqual({ accepted: 3, dead_letters: 0 });
      expect(texts()).toEqual([1, 2, 3].map(line));
    },
  );

  it('takes gzip over a real connection, where the request closes before it is unpacked', async () => {
    const { app, texts } = await start();
    const url = await app.listen({ host: '127.0.0.1', port: 0 });
    const many = Array.from({ length: 2000 }, (_, id) => line(id));
    const answer = await fetch(`${url}/v1/events/access`, {
      method: 'POST',
      headers: { ...as('ingest'), ...NDJSON, 'content-encoding': 'gzip' },
      body: gzipSync(many.join('\n')),
    });
    expect(await answer.json()).toEqual({ accepted: 2000, dead_letters: 0 });
    expect(texts()).toEqual(many);
  });

  it('takes one record or an array of them as JSON', async () => {
    const { push, texts } = await start();
    const json = { 'content-type': 'application/json' };
    expect((await push(`[${[1, 2].map(line).join(',')}]`, json)).json()).toEqual({
      accepted: 2,
      dead_letters: 0,
    });
    expect((await push(line(3), json)).json()).toEqual({ accepted: 1, dead_letters: 0 });
    expect(texts().map((text) => JSON.parse(text) as unknown)).toEqual(
      [1, 2, 3].map((id) => JSON.parse(line(id)) as unknown),
    );
  });

  it('tells the streams apart', async () => {
    const { push, batches } = await start();
    await push(lines);
    await push(lines, NDJSON, '/v1/events/authorization?format=canonical');
    expect(batches).toEqual([
      { stream: 'access', format: 'canonical' },
      { stream: 'authorization', format: 'canonical' },
    ]);
  });

  it('takes gzip, also of several members', async () => {
    const { push } = await start();
    const body = Buffer.concat([gzipSync(`${line(1)}\n`), gzipSync(`${line(2)}\n`)]);
    expect((await push(body, { ...NDJSON, 'content-encoding': 'gzip' })).json()).toMatchObject({
      accepted: 2,
    });
  });

  it('sends a line of 10 MB to the dead letters and takes the others', async () => {
    const { push } = await start();
    const answer = await push(`${line(1)}\n${'x'.repeat(10 * MiB)}\n${line(2)}`);
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toEqual({ accepted: 2, dead_letters: 1 });
  });

  it('takes an empty body for no records', async () => {
    const { push } = await start();
    expect((await push('')).json()).toEqual({ accepted: 0, dead_letters: 0 });
  });
});

describe('refusal', () => {
  const limited = { config: { max_body: 64 * KiB } };

  it.each([
    ['text/plain', 415, 'unsupported_media_type'],
    ['application/xml', 415, 'unsupported_media_type'],
    ['application/x-www-form-urlencoded', 415, 'unsupported_media_type'],
  ])('of %s', async (type, status, code) => {
    const { push } = await start();
    const answer = await push(lines, { 'content-type': type });
    expect(answer.statusCode).toBe(status);
    expect(answer.json()).toMatchObject({ status, code });
  });

  it('of another content coding, naming those that are taken', async () => {
    const { push } = await start();
    const answer = await push(lines, { ...NDJSON, 'content-encoding': 'br' });
    expect(answer.statusCode).toBe(415);
    expect(answer.headers['accept-encoding']).toBe('gzip, identity');
  });

  it('of what claims to be gzip and is not, and of gzip that ends early', async () => {
    const { push, texts } = await start();
    const gzip = { ...NDJSON, 'content-encoding': 'gzip' };
    for (const body of [Buffer.from(lines), gzipSync(lines).subarray(0, 20)]) {
      const answer = await push(body, gzip);
      expect(answer.statusCode).toBe(400);
      expect(answer.json()).toMatchObject({ code: 'invalid_body' });
    }
    expect(texts()).toEqual([]);
  });

  it('of a JSON array that is none, without quoting it', async () => {
    const { push } = await start();
    const answer = await push('[{"token":"s3cr3t-value"} oops', { 'content-type': 'application/json' });
    expect(answer.statusCode).toBe(400);
    expect(answer.body).not.toContain('s3cr3t');
  });

  it('of a body over the limit', async () => {
    const { push, texts } = await start(limited);
    expect((await push('x'.repeat(64 * KiB + 1))).statusCode).toBe(413);
    expect((await push('x'.repeat(64 * KiB))).statusCode).toBe(200);
    expect(texts()).toHaveLength(1);
  });

  it('of a zip bomb, without unpacking it', async () => {
    const { push, texts } = await start(limited);
    const bomb = gzipSync(Buffer.alloc(48 * MiB));
    expect(bomb.byteLength).toBeLessThan(64 * KiB);
    const before = process.memoryUsage().arrayBuffers;
    const answer = await push(bomb, { ...NDJSON, 'content-encoding': 'gzip' });
    expect(answer.statusCode).toBe(413);
    expect(answer.json()).toMatchObject({ code: 'payload_too_large' });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * MiB);
    expect(texts()).toEqual([]);
  });

  it('of an endless body without a length, on a real connection that then goes on working', async () => {
    const { app } = await start(limited);
    const origin = await app.listen({ host: '127.0.0.1', port: 0 });
    const request = httpRequest(`${origin}/v1/events/access`, {
      method: 'POST',
      headers: { ...as('ingest'), ...NDJSON, 'transfer-encoding': 'chunked' },
    });
    const answered = once(request, 'response') as Promise<[{ statusCode: number }]>;
    for (let piece = 0; piece < 5; piece += 1) request.write('x'.repeat(64 * KiB));
    const [{ statusCode }] = await answered;
    expect(statusCode).toBe(413);
    request.destroy();
    expect((await fetch(`${origin}/healthz`)).status).toBe(200);
  });

  it('of a client that goes away in the middle of gzip leaves nothing behind', async () => {
    const { app, texts } = await start();
    const origin = await app.listen({ host: '127.0.0.1', port: 0 });
    const body = gzipSync(lines);
    const request = httpRequest(`${origin}/v1/events/access`, {
      method: 'POST',
      headers: { ...as('ingest'), ...NDJSON, 'content-encoding': 'gzip', 'content-length': body.byteLength },
    });
    request.on('error', () => undefined);
    request.write(body.subarray(0, 15), () => request.destroy());
    await new Promise((resolve) => request.once('close', resolve));
    expect((await fetch(`${origin}/healthz`)).status).toBe(200);
    expect(texts()).toEqual([]);
  });

  it('of an unknown format, naming the known ones', async () => {
    const { push } = await start();
    const answer = await push(lines, NDJSON, '/v1/events/access?format=nginx');
    expect(answer.statusCode).toBe(400);
    expect(answer.body).toContain('canonical');
  });
});

describe('what is not durable', () => {
  it('is answered 503 with Retry-After while the worker takes nothing', async () => {
    api = await startApi();
    const answer = await api.app.inject({
      method: 'POST',
      url: '/v1/events/access',
      headers: { ...as('ingest'), ...NDJSON },
      payload: lines,
    });
    expect(answer.statusCode).toBe(503);
    expect(answer.headers['retry-after']).toBe('5');
    expect(answer.json()).toMatchObject({ code: 'unavailable' });
  });

  it('is answered 503 when the store is away, for as long as it asks, and names nothing internal', async () => {
    const onBatch: BatchHandler = () =>
      Promise.reject(
        new RecallError('ERR_STORE_UNAVAILABLE', 'http://192.0.2.9:8123 refused', { retryAfter: 7100 }),
      );
    const { push } = await start({ onBatch });
    const answer = await push(lines);
    expect(answer.statusCode).toBe(503);
    expect(answer.headers['retry-after']).toBe('8');
    expect(answer.body).not.toContain('192.0.2.9');
  });
});
