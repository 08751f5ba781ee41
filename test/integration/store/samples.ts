import type { EnrichedAccessEvent, Enrichment } from '../../../schemas/access-event.ts';
import type { Action } from '../../../schemas/action.ts';
import type { Alert } from '../../../schemas/alert.ts';
import type { AuthorizationEvent } from '../../../schemas/authorization-event.ts';
import type { DeadLetter } from '../../../schemas/dead-letter.ts';
import type { Finding } from '../../../schemas/finding.ts';
import type { Arrival, SealedToken } from '../../../src/store/port.ts';

export const NOON = Date.UTC(2026, 2, 2, 12);
const LATER = Date.UTC(2090, 0, 1);
const ISSUER = 'https://as.example.com';

const arrival = (position: string): Arrival => ({
  source: 'file:access.log',
  position,
  received_at: Date.now(),
});

/** The object but for some of its fields. */
export function without<T extends object, K extends keyof T>(object: T, ...names: readonly K[]): Omit<T, K> {
  const left = new Set<PropertyKey>(names);
  return Object.fromEntries(Object.entries(object).filter(([name]) => !left.has(name))) as Omit<T, K>;
}

/** An access event of `token-1` of `user-1`, unless told otherwise. */
export function accessEvent(
  event_id: string,
  overrides: Partial<Omit<EnrichedAccessEvent, 'kind' | 'enrichment'>> = {},
  place: Partial<Enrichment> = {},
): { event: EnrichedAccessEvent; arrival: Arrival } {
  const event: EnrichedAccessEvent = {
    kind: 'access',
    event_id,
    time: NOON,
    client_ip: place.ip ?? '192.0.2.10',
    iss: ISSUER,
    sub: 'user-1',
    client_id: 'web',
    jti: 'token-1',
    token_hash: 'hash-of-token-1',
    status: 200,
    method: 'GET',
    route: '/orders/{id}',
    scope: ['orders:read'],
    exp: LATER,
    enrichment: { ip: '192.0.2.10', network: 'residential', ...place },
    ...overrides,
  };
  return { event, arrival: arrival(event_id) };
}

/** Issue of `token-1` to `user-1`, unless told otherwise. */
export function authorizationEvent(
  event_id: string,
  overrides: Partial<Omit<AuthorizationEvent, 'kind'>> = {},
): { event: AuthorizationEvent; arrival: Arrival } {
  const event: AuthorizationEvent = {
    kind: 'authorization',
    event_id,
    time: NOON - 60_000,
    type: 'token_issued',
    iss: ISSUER,
    sub: 'user-1',
    client_id: 'web',
    jti: 'token-1',
    scope: ['orders:read'],
    exp: LATER,
    ...overrides,
  };
  return { event, arrival: arrival(event_id) };
}

/** A finding of token-replay on `token-1` of `user-1`, unless told otherwise. */
export function sampleFinding(finding_id: string, overrides: Partial<Finding> = {}): Finding {
  return {
    finding_id,
    detector: 'token-replay',
    time: NOON,
    event_id: 'event-1',
    confidence: 0.9,
    conclusive: false,
    signals: ['device', 'location'],
    reason: 'one token in two client contexts within 40 s',
    measures: { gap_s: 40, sameDevice: false, owner: 'Chrome' },
    evidence: [{ event_id: 'event-1', time: NOON, client_ip: '192.0.2.10', country: 'DE' }],
    iss: ISSUER,
    sub: 'user-1',
    client_id: 'web',
    jti: 'token-1',
    token_hash: 'hash-of-token-1',
    ...overrides,
  };
}

/** An alert of one finding on `token-1` of `user-1`, unless told otherwise. */
export function sampleAlert(alert_id: string, overrides: Partial<Alert> = {}): Alert {
  const finding = sampleFinding(`finding-of-${alert_id}`);
  return {
    alert_id,
    version: 1,
    time: NOON,
    updated: NOON,
    severity: 'high',
    risk: 0.9,
    findings: [finding],
    iss: ISSUER,
    sub: 'user-1',
    client_id: 'web',
    jti: 'token-1',
    token_hash: 'hash-of-token-1',
    decision: {
      action: 'revoke',
      handle: 'token',
      value: 'hash-of-token-1',
      mode: 'enforce',
      reason: 'two signals',
    },
    evidence: finding.evidence,
    summary: 'token-1 of user-1 is used in two places at once',
    ...overrides,
  };
}

/** A recall of `token-1`, not answered yet, unless told otherwise. */
export function sampleAction(action_id: string, overrides: Partial<Action> = {}): Action {
  return {
    action_id,
    alert_id: 'alert-1',
    requested_by: 'policy',
    requested_at: NOON + 1_000,
    responder: 'rfc7009',
    handle: 'token',
    value: 'hash-of-token-1',
    iss: ISSUER,
    sub: 'user-1',
    client_id: 'web',
    token_hash: 'hash-of-token-1',
    event_time: NOON,
    mode: 'enforce',
    state: 'pending',
    attempts: 0,
    reason: 'two signals',
    detail: 'waits',
    updated_at: NOON + 1_000,
    ...overrides,
  };
}

export function sampleSealed(token_hash: string, overrides: Partial<SealedToken> = {}): SealedToken {
  return {
    token_hash,
    iss: ISSUER,
    sub: 'user-1',
    client_id: 'web',
    jti: `jti-of-${token_hash}`,
    sealed: 'bm9uY2UtY2lwaGVydGV4dC10YWc',
    expires_at: Date.now() + 3_600_000,
    first_seen: NOON,
    ...overrides,
  };
}

export function sampleDeadLetter(dead_letter_id: string, overrides: Partial<DeadLetter> = {}): DeadLetter {
  return {
    dead_letter_id,
    received_at: NOON,
    source: 'file:access.log',
    position: '17',
    stream: 'access',
    step: 'decode',
    code: 'ERR_DECODE_JSON',
    reason: 'not JSON: unexpected token at position 3',
    size: 20,
    excerpt: 'GET /orders HTTP/1.1',
    sealed: '',
    ...overrides,
  };
}
