import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listenApi } from '../../../src/api/server.ts';
import { RecallError } from '../../../src/errors.ts';
import { as, readsAway, startApi, type Harness } from './harness.ts';

let api: Harness;
const bug = new TypeError('cannot read /srv/private/path of undefined');
beforeAll(async () => {
  api = await startApi({
    deps: {
      reads: new Proxy(readsAway, {
        get: (target, name): unknown =>
          name === 'listAlerts' ? () => Promise.reject(bug) : Reflect.get(target, name),
      }),
      requestRecall: () =>
        Promise.reject(
          new RecallError('ERR_RESPONDER_REFUSED', 'this token cannot be recalled: no raw token is held'),
        ),
    },
  });
});
afterAll(() => api.close());

describe('every answer that is not a success', () => {
  it.each([
    ['GET', '/nowhere', {}, 404, 'not_found'],
    ['PUT', '/v1/alerts', as('operator'), 404, 'not_found'],
    ['GET', '/v1/alerts', {}, 401, 'unauthorized'],
    ['GET', '/v1/recalls', as('ingest'), 403, 'insufficient_role'],
    ['GET', '/v1/recalls?limit=9999', as('reader'), 400, 'invalid_request'],
    ['GET', '/v1/recalls?colour=red', as('reader'), 400, 'invalid_request'],
    ['GET', '/v1/alerts?since=yesterday', as('reader'), 400, 'invalid_request'],
    ['GET', '/v1/alerts?cursor=abc', as('reader'), 400, 'invalid_request'],
    ['GET', '/v1/detectors/none', {}, 404, 'not_found'],
    ['GET', '/v1/tokens/some-id', as('reader'), 503, 'unavailable'],
    ['GET', '/v1/alerts', as('reader'), 500, 'internal'],
    ['GET', '/%E0%A4%A', {}, 400, 'invalid_body'],
  ])('is problem details: %s %s', async (method, url, headers, status, code) => {
    const answer = await api.app.inject({ method: method as 'GET', url, headers });
    expect(answer.statusCode).toBe(status);
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(answer.json()).toMatchObject({
      type: 'about:blank',
      status,
      code,
      title: expect.any(String) as unknown,
    });
    expect(Object.keys(answer.json<object>())).not.toContain('stack');
  });

  it('tells nothing of what went wrong inside, and the log tells all', async () => {
    const answer = await api.app.inject({ url: '/v1/alerts', headers: as('reader') });
    expect(answer.body).not.toContain('/srv/private');
    expect(api.logged.join('')).toContain('/srv/private');
  });

  it('is problem details even for bytes that are no HTTP', async () => {
    const origin = new URL(await listenApi(api.app, { host: '127.0.0.1', port: 0 }));
    const socket = connect(Number(origin.port), '127.0.0.1');
    socket.end('GET / TLS/9\r\n\r\n');
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    const [head = '', body = ''] = Buffer.concat(chunks).toString().split('\r\n\r\n');
    expect(head).toContain('400 Bad Request');
    expect(JSON.parse(body)).toMatchObject({ status: 400, code: 'invalid_request' });
  });

  it('names each field that is wrong', async () => {
    const answer = await api.app.inject({ url: '/v1/recalls?limit=0&colour=red', headers: as('reader') });
    expect(answer.json()).toMatchObject({
      errors: [
        { path: 'query/limit', problem: expect.stringContaining('1') as unknown },
        { path: 'query/', problem: 'unknown: colour' },
      ],
    });
  });
});

describe('a recall by hand', () => {
  const ask = (payload: object) =>
    api.app.inject({ method: 'POST', url: '/v1/recalls', headers: as('operator'), payload });

  it.each(['session', 'subject', 'client'])('of a %s says what can be recalled now', async (handle) => {
    const answer = await ask({ handle, value: 'x', reason: 'test' });
    expect(answer.statusCode).toBe(422);
    expect(answer.json()).toMatchObject({
      code: 'unsupported_handle',
      detail: expect.stringContaining('token') as unknown,
    });
  });

  it('that cannot be carried out says what is missing', async () => {
    const answer = await ask({ handle: 'token', value: 'hash', reason: 'test' });
    expect(answer.statusCode).toBe(409);
    expect(answer.json()).toMatchObject({
      code: 'not_possible',
      detail: expect.stringContaining('no raw token') as unknown,
    });
  });

  it('needs a reason', async () => {
    expect((await ask({ handle: 'token', value: 'hash' })).statusCode).toBe(400);
  });
});

describe('health', () => {
  it('is ready, with its parts', async () => {
    const answer = await api.app.inject('/readyz');
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toEqual({ ready: true, components: { store: { ok: true, detail: 'answers' } } });
  });

  it('is alive but not ready while a part is away', async () => {
    const down = await startApi({
      deps: { health: () => ({ ready: false, components: { store: { ok: false, detail: 'away' } } }) },
    });
    try {
      expect((await down.app.inject('/readyz')).statusCode).toBe(503);
      expect((await down.app.inject('/healthz')).json()).toEqual({ status: 'ok' });
    } finally {
      await down.close();
    }
  });

  it('gives metrics in the text format of Prometheus', async () => {
    const answer = await api.app.inject({ url: '/metrics', headers: as('reader') });
    expect(answer.headers['content-type']).toMatch(/^text\/plain; version=/);
    expect(answer.body).toContain('# TYPE token_recall_received_events_total counter');
  });
});

describe('listening', () => {
  it('says in words that the port is taken', async () => {
    const first = await startApi();
    try {
      const url = await listenApi(first.app, { host: '127.0.0.1', port: 0 });
      const port = Number(new URL(url).port);
      const second = await startApi();
      const attempt = listenApi(second.app, { host: '127.0.0.1', port });
      await expect(attempt).rejects.toMatchObject({
        code: 'ERR_API_ADDRESS',
        message: expect.stringMatching(new RegExp(`127\\.0\\.0\\.1:${port}: .*api\\.port`)) as unknown,
      });
      await second.close();
    } finally {
      await first.close();
    }
  });

  it('says that an address is not of this machine', async () => {
    const other = await startApi();
    await expect(listenApi(other.app, { host: '192.0.2.1', port: 0 })).rejects.toMatchObject({
      code: 'ERR_API_ADDRESS',
    });
    await other.close();
  });
});
