import { afterAll, beforeAll, expect, test } from 'vitest';
import { createReads, type Reads } from '../../../src/store/reads.ts';
import type { OpenedStore } from '../../../src/store/open.ts';
import { startClickHouse, type TestClickHouse } from '../../support/clickhouse.ts';
import {
  NOON,
  accessEvent,
  authorizationEvent,
  sampleAlert,
  sampleDeadLetter,
  sampleFinding,
  without,
} from './samples.ts';

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

const instants = ['time', 'iat', 'nbf', 'auth_time', 'exp'] as const;
const documents = ['act', 'cnf', 'dpop', 'mtls', 'extra'] as const;

const only = async (sql: string, params?: Record<string, unknown>) => {
  const rows = await store.query<Record<string, unknown>>(sql, params);
  expect(rows).toHaveLength(1);
  return rows[0]!;
};

test('an access event reads back with every field, absent ones as unknown', async () => {
  const full = accessEvent(
    'full',
    {
      time: NOON + 123,
      sub: 'round-trip',
      sid: 'session-1',
      request_id: 'request-1',
      gateway: 'gw-1',
      host: 'api.example.com',
      path: '/orders/1',
      user_agent: 'half a pair \ud83d, a quote ", a backslash \\, a tab \t and 日本',
      ja4: 't13d1516h2',
      bytes_out: 1024.5,
      duration_ms: 12.25,
      forwarded_for: ['198.51.100.7', '203.0.113.1'],
      aud: ['api'],
      iat: NOON - 5_000,
      nbf: NOON - 5_000,
      auth_time: NOON - 6_000,
      acr: 'loa2',
      amr: ['pwd', 'otp'],
      act: { sub: 'service-1' },
      cnf: { jkt: 'thumbprint' },
      grant_type: 'authorization_code',
      token_type: 'DPoP',
      dpop: { jti: 'proof-1', jkt: 'thumbprint' },
      mtls: { 'x5t#S256': 'certificate' },
      extra: { tenant: 'a', nested: { n: 1 } },
    },
    {
      country: 'DE',
      city: 'Berlin',
      latitude: 52.52,
      longitude: 13.405,
      accuracy_km: 20,
      asn: 64500,
      as_org: 'Example Net',
      ua_family: 'Chrome',
      ua_os: 'Linux',
      geo_build: 'city@2026-03',
      asn_build: 'asn@2026-03',
    },
  );
  const bare = accessEvent('bare', {
    sub: 'round-trip-bare',
    jti: undefined,
    scope: undefined,
    exp: undefined,
  });
  await store.write({ access_events: [full, bare] });

  const { enrichment, time, iat, nbf, auth_time, exp } = full.event;
  const { act, cnf, dpop, mtls, extra } = full.event;
  const event = without(full.event, 'kind', 'enrichment', ...instants, ...documents);
  const row = await only("SELECT * FROM access_events WHERE sub = 'round-trip'");
  expect(row).toMatchObject({
    ...event,
    ...enrichment,
    bytes_out: 1024,
    user_agent: event.user_agent!.replace('\ud83d', '\\ud83d'),
    source: 'file:access.log',
    position: 'full',
  });
  const milliseconds = (name: string) => Date.parse(String(row[name]));
  expect([time, iat, nbf, auth_time, exp]).toEqual(instants.map(milliseconds));
  for (const [name, value] of Object.entries({ act, cnf, dpop, mtls, extra }))
    expect(JSON.parse(String(row[name]))).toEqual(value);

  expect(await only("SELECT * FROM access_events WHERE sub = 'round-trip-bare'")).toMatchObject({
    ...{
      jti: '',
      sid: '',
      scope: [],
      exp: null,
      iat: null,
      latitude: null,
      bytes_out: null,
      asn: 0,
      act: '',
    },
  });
});

test('an authorization event reads back', async () => {
  const one = authorizationEvent('refresh', {
    type: 'token_refreshed',
    sub: 'refreshing',
    jti: 'token-2',
    previous_jti: 'token-1',
    refresh_token_hash: 'hash-of-refresh',
    family_id: 'family-1',
    requested_scope: ['orders:read', 'orders:write'],
    actor: 'user',
    reason: 'expired',
    client_ip: '192.0.2.9',
    grant_type: 'refresh_token',
    extra: { realm: 'r' },
  });
  await store.write({ authorization_events: [one] });
  const { time, exp, extra } = one.event;
  const event = without(one.event, 'kind', 'time', 'exp', 'extra');
  const row = await only("SELECT * FROM authorization_events WHERE sub = 'refreshing'");
  expect(row).toMatchObject(event);
  expect(Date.parse(String(row['time']))).toBe(time);
  expect(Date.parse(String(row['exp']))).toBe(exp);
  expect(JSON.parse(String(row['extra']))).toEqual(extra);
});

test('findings, dead letters and the audit trail read back', async () => {
  const finding = sampleFinding('finding-1');
  const letter = sampleDeadLetter('letter-1', { sealed: 'c2VhbGVk' });
  const entry = {
    at: NOON,
    actor: 'api:alice',
    action: 'alert.resolve',
    target: 'alert-1',
    outcome: 'done',
    detail: 'd',
  };
  await store.write({
    findings: [finding],
    dead_letters: [letter],
    audit: [{ ...entry, actor: 'operator-1' }],
  });

  const { measures, evidence, time, ...claim } = finding;
  const row = await only("SELECT * FROM findings WHERE finding_id = 'finding-1'");
  expect(row).toMatchObject(claim);
  expect(JSON.parse(String(row['measures']))).toEqual(measures);
  expect(JSON.parse(String(row['evidence']))).toEqual(evidence);
  expect(Date.parse(String(row['time']))).toBe(time);
  expect(await only("SELECT * FROM dead_letters WHERE dead_letter_id = 'letter-1'")).toMatchObject(
    without(letter, 'received_at'),
  );
  expect(await only('SELECT * FROM audit_log')).toMatchObject({ actor: 'operator-1', target: 'alert-1' });
});

test('an alert reads back as it was written, with the status of its latest review', async () => {
  const alert = sampleAlert('alert-rt', {
    sub: 'alert-subject',
    decision: { ...sampleAlert('x').decision, missing: ['the token'] },
  });
  await store.write({ alerts: [alert] });
  expect(await reads.getAlert('alert-rt')).toEqual({ ...alert, status: 'open', reviews: [] });

  const acknowledged = {
    alert_id: 'alert-rt',
    at: NOON + 1,
    actor: 'operator-1',
    status: 'acknowledged' as const,
    note: '',
  };
  const resolved = {
    ...acknowledged,
    at: NOON + 2,
    status: 'resolved' as const,
    verdict: 'benign' as const,
    note: 'own VPN',
  };
  await store.write({ reviews: [resolved] });
  await store.write({ reviews: [acknowledged] });
  expect(await reads.getAlert('alert-rt')).toEqual({
    ...alert,
    status: 'resolved',
    verdict: 'benign',
    reviews: [acknowledged, resolved],
  });
  expect(await reads.getAlert('no-such')).toBeNull();
});
