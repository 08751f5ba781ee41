import { afterAll, beforeAll, expect, test } from 'vitest';
import type { OpenedStore } from '../../../src/store/open.ts';
import { createReads, type Reads } from '../../../src/store/reads.ts';
import { startClickHouse, type TestClickHouse } from '../../support/clickhouse.ts';
import { NOON, accessEvent, authorizationEvent, sampleAction } from './samples.ts';

let clickhouse: TestClickHouse;
let store: OpenedStore;
let reads: Reads;

beforeAll(async () => {
  clickhouse = await startClickHouse();
  store = await clickhouse.open();
  reads = createReads(store);
});
afterAll(async () => {
  await store.close();
  await clickhouse.stop();
});

const berlin = { ip: '192.0.2.10', country: 'DE', city: 'Berlin', asn: 64500, ua_family: 'Chrome' } as const;
const sydney = { ip: '203.0.113.9', country: 'AU', city: 'Sydney', asn: 64501, ua_family: 'curl' } as const;

test('the ledger knows a token from issue to last use, whatever order things arrive in', async () => {
  const use = (id: string, seconds: number, place: typeof berlin | typeof sydney, route: string) =>
    accessEvent(id, { time: NOON + seconds * 1000, route, user_agent: `agent of ${place.city}` }, place);
  await store.write({ access_events: [use('l-3', 30, sydney, '/c'), use('l-1', 10, berlin, '/a')] });
  await store.write({
    authorization_events: [authorizationEvent('l-issue', { scope: ['admin', 'orders:read'] })],
  });
  await store.write({ access_events: [use('l-2', 20, berlin, '/b')] });

  const token = await reads.getToken('token-1');
  expect(token).toEqual({
    token_id: 'token-1',
    iss: 'https://as.example.com',
    sub: 'user-1',
    client_id: 'web',
    jti: 'token-1',
    token_hash: 'hash-of-token-1',
    state: 'live',
    issued_at: NOON - 60_000,
    expires_at: Date.UTC(2090, 0, 1),
    first_used: NOON + 10_000,
    last_used: NOON + 30_000,
    uses: 3,
    ips: 2,
    countries: ['AU', 'DE'],
    asns: [64500, 64501],
    ua_families: ['Chrome', 'curl'],
    last_ip: '203.0.113.9',
    last_country: 'AU',
    last_city: 'Sydney',
    last_asn: 64501,
    last_network: 'residential',
    last_user_agent: 'agent of Sydney',
    scopes: ['admin', 'orders:read'],
    routes: ['/a', '/b', '/c'],
  });
  expect(await reads.getToken('hash-of-token-1')).toEqual(token);
  expect(await reads.getToken('no-such')).toBeNull();
  expect((await reads.tokenUses('hash-of-token-1', 2)).map(({ event_id, city }) => [event_id, city])).toEqual(
    [
      ['l-3', 'Sydney'],
      ['l-2', 'Berlin'],
    ],
  );
});

test('an event that arrives twice, in inserts of different rows, is one use', async () => {
  const of = (id: string) => accessEvent(id, { jti: 'token-twice', token_hash: 'hash-twice' });
  await store.write({ access_events: [of('t-1'), of('t-2')] });
  await store.write({ access_events: [of('t-2'), of('t-3'), of('t-1')] });
  await store.write({ access_events: [of('t-1')] });
  expect(await reads.getToken('token-twice')).toMatchObject({ uses: 3, ips: 1 });
});

test('tokens of two issuers with the same jti are two tokens; a token without jti is known by its hash', async () => {
  const same = (iss: string) => accessEvent(`i-${iss}`, { iss, jti: 'shared', token_hash: `hash-at-${iss}` });
  const opaque = accessEvent('opaque', { jti: undefined, token_hash: 'hash-opaque' });
  await store.write({ access_events: [same('https://a.example'), same('https://b.example'), opaque] });
  expect(
    await store.query("SELECT iss, token_hash, uses FROM tokens WHERE token_id = 'shared' ORDER BY iss"),
  ).toEqual([
    { iss: 'https://a.example', token_hash: 'hash-at-https://a.example', uses: 1 },
    { iss: 'https://b.example', token_hash: 'hash-at-https://b.example', uses: 1 },
  ]);
  expect(await reads.getToken('hash-opaque')).toMatchObject({ token_id: 'hash-opaque', uses: 1 });
});

test('a recall shows in the ledger, whichever id of the token it was asked by', async () => {
  const of = (n: number) => accessEvent(`r-${n}`, { jti: `recall-${n}`, token_hash: `recall-hash-${n}` });
  const recall = (n: number, value: string, more: Partial<Parameters<typeof sampleAction>[1]> = {}) =>
    sampleAction(`recall-action-${n}`, { value, token_hash: undefined, requested_at: NOON + n, ...more });
  await store.write({
    access_events: [of(1), of(2), of(3), of(4)],
    actions: [
      recall(1, 'recall-1', { state: 'confirmed', updated_at: NOON + 5_000 }),
      recall(2, 'recall-hash-2', { state: 'accepted' }),
      recall(3, 'recall-3', { state: 'confirmed', mode: 'shadow' }),
    ],
  });
  expect(await reads.getToken('recall-1')).toMatchObject({
    state: 'recalled',
    recall_state: 'confirmed',
    recalled_at: NOON + 1,
    recall_updated_at: NOON + 5_000,
  });
  expect(await reads.getToken('recall-2')).toMatchObject({
    state: 'live',
    recall_state: 'accepted',
    recalled_at: NOON + 2,
  });
  for (const id of ['recall-3', 'recall-4']) {
    const token = await reads.getToken(id);
    expect(token).toMatchObject({ state: 'live' });
    expect(token?.recalled_at).toBeUndefined();
  }
});

test('what the authorization server revoked or let expire is not live', async () => {
  await store.write({
    access_events: [accessEvent('x-1', { jti: 'expired', token_hash: undefined, exp: NOON + 1 })],
    authorization_events: [
      authorizationEvent('x-2', { jti: 'revoked', type: 'token_revoked', time: NOON + 7 }),
      authorizationEvent('x-3', { jti: 'revoked' }),
    ],
  });
  expect(await reads.getToken('expired')).toMatchObject({ state: 'expired' });
  expect(await reads.getToken('revoked')).toMatchObject({ state: 'revoked', revoked_at: NOON + 7, uses: 0 });
});
