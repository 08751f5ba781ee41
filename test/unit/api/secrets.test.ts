import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RecallError } from '../../../src/errors.ts';
import type { Reads } from '../../../src/store/reads.ts';
import { credentials, as, startApi, type Harness } from './harness.ts';

/** A raw access token that looks like a JWT, new in each run. */
const jwt = [
  '{"alg":"none"}',
  JSON.stringify({ jti: randomBytes(16).toString('hex') }),
  randomBytes(32).toString('hex'),
]
  .map((part) => Buffer.from(part).toString('base64url'))
  .join('.');

let api: Harness;
beforeAll(async () => {
  api = await startApi({
    onBatch: () => Promise.reject(new RecallError('ERR_STORE_REFUSED', 'a row was refused')),
    deps: {
      // Faults that are logged, so that what the log says of a request is looked at.
      reads: new Proxy({} as Reads, { get: () => () => Promise.reject(new Error('broken reads')) }),
      requestRecall: () => Promise.reject(new Error('broken')),
    },
  });
});
afterAll(() => api.close());

/** Requests with a raw token wherever one could be put, by mistake or by an attacker. */
const REQUESTS = [
  { method: 'GET', url: `/v1/tokens/${jwt}`, headers: as('reader') },
  { method: 'GET', url: `/v1/tokens/${jwt}/uses`, headers: as('reader') },
  { method: 'GET', url: `/v1/alerts/${jwt}`, headers: as('reader') },
  { method: 'GET', url: `/${jwt}`, headers: as('reader') },
  { method: 'GET', url: `/%E0%A4%A${jwt}`, headers: as('reader') },
  { method: 'GET', url: `/v1/alerts?status=${jwt}`, headers: as('reader') },
  { method: 'GET', url: `/v1/alerts?${jwt}=1`, headers: as('reader') },
  { method: 'GET', url: `/v1/alerts?cursor=${jwt}`, headers: as('reader') },
  { method: 'GET', url: '/v1/alerts', headers: { authorization: `Bearer ${jwt}` } },
  { method: 'GET', url: '/v1/alerts', headers: { authorization: jwt } },
  { method: 'POST', url: '/v1/tokens/lookup', headers: as('reader'), payload: { token: jwt } },
  { method: 'POST', url: '/v1/tokens/lookup', headers: as('reader'), payload: { [jwt]: jwt } },
  { method: 'POST', url: '/v1/tokens/lookup', headers: as('reader'), payload: { token: [jwt] } },
  {
    method: 'POST',
    url: '/v1/tokens/lookup',
    headers: { ...as('reader'), 'content-type': 'application/json' },
    payload: jwt,
  },
  {
    method: 'POST',
    url: '/v1/recalls',
    headers: as('operator'),
    payload: { handle: 'token', value: jwt, reason: 'x' },
  },
  {
    method: 'POST',
    url: '/v1/recalls',
    headers: as('operator'),
    payload: { handle: jwt, value: 'x', reason: 'x' },
  },
  {
    method: 'POST',
    url: '/v1/recalls',
    headers: as('operator'),
    payload: { handle: 'token', value: 'x', reason: 'x' },
  },
  {
    method: 'POST',
    url: '/v1/events/access',
    headers: { ...as('ingest'), 'content-type': 'application/json' },
    payload: `[${jwt}`,
  },
  {
    method: 'POST',
    url: '/v1/events/access',
    headers: { ...as('ingest'), 'content-type': 'application/json' },
    payload: [{ token: jwt }],
  },
  {
    method: 'POST',
    url: `/v1/events/access?format=${jwt}`,
    headers: { ...as('ingest'), 'content-type': 'application/json' },
    payload: [],
  },
  {
    method: 'POST',
    url: '/v1/events/access',
    headers: { ...as('ingest'), 'content-type': `text/${jwt}` },
    payload: 'x',
  },
] as const;

it.each(REQUESTS.map((request, index) => [index, request] as const))(
  'no answer repeats a raw token or a credential (%i)',
  async (_index, request) => {
    const answer = await api.app.inject({ ...request });
    expect(answer.statusCode).toBeGreaterThanOrEqual(400);
    const told = answer.body + JSON.stringify(answer.headers);
    const parts = [jwt, ...jwt.split('.').slice(1), ...credentials.map(({ token }) => token.reveal())];
    for (const part of parts) expect(told).not.toContain(part);
  },
);

it('no log line has one either, and there are log lines', () => {
  const log = api.logged.join('\n');
  expect(log).toContain('a row was refused');
  expect(log).toContain('broken reads');
  for (const part of jwt.split('.').slice(1)) expect(log).not.toContain(part);
  for (const { token } of credentials) expect(log).not.toContain(token.reveal());
});
