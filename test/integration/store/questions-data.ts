import type { Enrichment } from '../../../schemas/access-event.ts';
import type { StoreBatch } from '../../../src/store/port.ts';
import {
  NOON,
  accessEvent,
  authorizationEvent,
  sampleAction,
  sampleAlert,
  sampleDeadLetter,
  sampleFinding,
} from './samples.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const DAY = 86_400 * SECOND;

const home = {
  ip: '192.0.2.10',
  country: 'DE',
  city: 'Berlin',
  asn: 64500,
  as_org: 'Home Net',
  ua_family: 'Chrome',
} satisfies Partial<Enrichment>;
const office = { ...home, ip: '198.51.100.7', city: 'Hamburg', asn: 64501, as_org: 'Office Net' };
const thief = {
  ip: '203.0.113.9',
  country: 'AU',
  city: 'Sydney',
  asn: 64502,
  as_org: 'Cloud Net',
  network: 'hosting',
  ua_family: 'curl',
} satisfies Partial<Enrichment>;

let uses = 0;
type Use = Parameters<typeof accessEvent>[1];
const use = (token: string, sub: string, time: number, place: Partial<Enrichment>, more: Use = {}) =>
  accessEvent(
    `use-${(uses += 1)}`,
    { jti: token, token_hash: `hash-of-${token}`, sub, time, ...more },
    place,
  );
const issue = (token: string, sub: string, client_id: string, scope: string[]) =>
  authorizationEvent(`issue-${token}`, { jti: token, sub, client_id, scope, time: NOON - 30 * MINUTE });

const a1 = (seconds: number, place: Partial<Enrichment>, more?: Use) =>
  use('a1', 'user-1', NOON + seconds * SECOND, place, more);

/** What docs/queries.md is answered from: a stolen token, recalled, among ordinary use on one day. */
export const sampleDay: StoreBatch = {
  authorization_events: [
    issue('a1', 'user-1', 'web', ['orders:read', 'orders:write']),
    issue('a2', 'user-2', 'web', ['orders:read']),
    issue('b1', 'user-1', 'reports', ['reports:admin', 'reports:read']),
  ],
  access_events: [
    use('a0', 'user-2', NOON - 20 * DAY, home, { exp: NOON - 19 * DAY }),
    ...[0, 60, 120].map((seconds) => a1(seconds, home)),
    a1(90, thief, { route: '/orders' }),
    a1(100, thief, { route: '/export', method: 'POST' }),
    // After the recall at 110 s: one gateway lets thief and owner through once more, then it is denied.
    a1(112, thief, { route: '/export', method: 'POST' }),
    a1(130, thief, { route: '/export', method: 'POST', status: 401 }),
    use('a2', 'user-2', NOON + 5 * MINUTE, home),
    use('a2', 'user-2', NOON + 65 * MINUTE, office),
    use('b1', 'user-1', NOON + 10 * MINUTE, office, {
      client_id: 'reports',
      route: '/reports/{id}',
      scope: ['reports:read'],
    }),
  ],
  findings: [
    sampleFinding('f-1', { time: NOON + 90 * SECOND, jti: 'a1', token_hash: 'hash-of-a1' }),
    sampleFinding('f-2', {
      time: NOON + 100 * SECOND,
      jti: 'a1',
      token_hash: 'hash-of-a1',
      conclusive: true,
    }),
    sampleFinding('f-3', { time: NOON + 90 * SECOND, detector: 'impossible-travel', jti: 'a1' }),
    sampleFinding('f-4', { time: NOON + 10 * MINUTE, detector: 'scope-drift', jti: 'b1', confidence: 0.6 }),
  ],
  alerts: [
    sampleAlert('alert-1', {
      risk: 0.99,
      severity: 'critical',
      jti: 'a1',
      token_hash: 'hash-of-a1',
      summary: 'The token of user-1 is used from Berlin and Sydney within 30 s',
    }),
    sampleAlert('alert-2', {
      risk: 0.6,
      severity: 'medium',
      client_id: 'reports',
      decision: { action: 'alert', handle: 'token', value: 'b1', mode: 'enforce', reason: 'one signal' },
      summary: 'reports uses scopes it never used',
    }),
    sampleAlert('alert-3', { risk: 0.8, sub: 'user-2', summary: 'user-2 travels too fast' }),
  ],
  reviews: [
    { alert_id: 'alert-2', at: NOON + 20 * MINUTE, actor: 'analyst-1', status: 'acknowledged', note: '' },
    {
      alert_id: 'alert-3',
      at: NOON + 70 * MINUTE,
      actor: 'analyst-1',
      status: 'resolved',
      verdict: 'false_positive',
      note: 'own VPN',
    },
  ],
  actions: [
    sampleAction('action-1', {
      value: 'hash-of-a1',
      token_hash: 'hash-of-a1',
      requested_at: NOON + 110 * SECOND,
      state: 'confirmed',
      attempts: 1,
      updated_at: NOON + 110 * SECOND + 1_400,
      detail: 'introspection: active before, inactive after',
    }),
    sampleAction('action-2', {
      value: 'b1',
      token_hash: undefined,
      requested_by: 'analyst-1',
      alert_id: undefined,
      client_id: 'reports',
      requested_at: NOON + 30 * MINUTE,
      state: 'accepted',
      attempts: 2,
      updated_at: NOON + 31 * MINUTE,
      detail: 'the server took it; introspection does not answer',
    }),
  ],
  dead_letters: [
    sampleDeadLetter('letter-1'),
    sampleDeadLetter('letter-2', { received_at: NOON + MINUTE, position: '18', reason: 'not JSON: cut off' }),
    sampleDeadLetter('letter-3', {
      source: 'kafka:gateway-access',
      position: 'gateway-access/3/1042',
      code: 'ERR_DECODE_TIME',
      reason: 'time: expected a time in 2000 to 2099',
      size: 310,
    }),
  ],
};
