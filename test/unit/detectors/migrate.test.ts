import { describe, expect, test } from 'vitest';
import { impossibleTravel } from '../../../detectors/impossible-travel/detector.ts';
import { detectors } from '../../../detectors/registry.ts';
import { scopeDrift } from '../../../detectors/scope-drift/detector.ts';
import { tokenReplay } from '../../../detectors/token-replay/detector.ts';
import type { EnrichedAccessEvent, NetworkClass } from '../../../schemas/access-event.ts';
import type { AnyDetector, DetectorContext, StreamEvent } from '../../../src/detection/contract.ts';

/*
 * States as earlier versions wrote them, of one story: the owner at home uses a token (a), it is used in Tokyo by a
 * script (b), and at home another token carries more than was ever granted, on a route that asks for a third scope (c).
 */

const T = Date.UTC(2026, 0, 20, 9);
const HOUR = 3_600_000;
const whose = { iss: 'https://as.example', sub: 'user-1', client_id: 'web', sid: 's-1' };
const home = {
  network: { class: 'residential', ip: '192.0.2.10', asn: 64501, country: 'FR', city: 'Paris' },
  device: { user_agent: 'Firefox/142.0', family: 'Firefox', os: 'Windows' },
};
const tokyo = {
  network: { class: 'residential', ip: '198.51.100.10', asn: 64510, country: 'JP', city: 'Tokyo' },
  device: { user_agent: 'python-requests/2.32', family: 'python-requests' },
};
const read = { method: 'GET', route: '/orders', status: 200, geo_build: 'g@1' };
const admin = { method: 'POST', route: '/admin/users', status: 200, geo_build: 'g@1' };
const a = { event_id: 'a', time: T, ...whose, jti: 't-1', ip: '192.0.2.10', request_id: 'r-a', ...read };
const b = { ...a, event_id: 'b', time: T + 60_000, ip: '198.51.100.10', request_id: 'r-b' };
const c = { ...a, event_id: 'c', time: T + 120_000, jti: 't-2', request_id: 'r-c', ...admin };
const suspect = { ...whose, event_id: 'b', time: b.time, jti: 't-1' };
const suspectC = { ...whose, event_id: 'c', time: c.time, jti: 't-2' };
const [scope, scopeC] = [['orders:read'], ['admin:write', 'orders:read']];
const places = { Paris: { latitude: 48.86, longitude: 2.35 }, Tokyo: { latitude: 35.68, longitude: 139.69 } };

const recorded = {
  'token-replay': {
    sessions: [
      {
        id: { iss: whose.iss, client_id: 'web', sid: 's-1' },
        contexts: [
          { ...home, first: a, last: c, further: [c] },
          { ...tokyo, first: b, last: b, further: [] },
        ],
        standing: [
          { kind: 'moved', confidence: 0.8, suspect },
          { kind: 'interleaved', confidence: 0.95, suspect },
        ],
        gone: 0,
      },
    ],
    retired: [{ ...home, time: T - 48 * HOUR }],
    networks: { AS64501: T, AS64510: T + 60_000 },
  },
  'impossible-travel': {
    contexts: [
      { id: 0, ...home, place: places.Paris, first: T, firstId: 'a', last: c.time, standing: [] },
      {
        id: 1,
        ...tokyo,
        place: places.Tokyo,
        first: b.time,
        firstId: 'b',
        last: b.time,
        standing: [{ kind: 'flight', confidence: 0.8, suspect }],
      },
    ],
    sightings: [
      { context: 0, hour: 491_361, first: a, last: c },
      { context: 1, hour: 491_361, first: b, last: b },
    ],
    nextId: 2,
    latest: c.time,
    far: true,
  },
  'scope-drift': {
    granted: { 'orders:read': T - HOUR },
    grantsSince: T - HOUR,
    blindSince: null,
    consents: [{ time: T - HOUR, event_id: 'k', scope }],
    issued: [{ time: T - HOUR, event_id: 'i', jti: 't-1', scope }],
    tokens: [
      {
        jti: 't-1',
        scope,
        issued_at: T - HOUR,
        first: { ...a, origin: home },
        settled: { ...a, origin: home },
      },
      {
        jti: 't-2',
        scope: scopeC,
        issued_at: T - HOUR,
        first: { ...c, origin: home },
        settled: { ...c, origin: home },
      },
    ],
    scopes: { 'orders:read': T, 'admin:write': c.time },
    operations: { 'GET /orders': T, 'POST /admin/users': c.time },
    features: 4,
    firstWrite: c.time,
    novelties: [
      { use: { ...a, origin: home }, machine: false, scopes: scope, operations: ['GET /orders'] },
      {
        use: { ...c, origin: home },
        machine: false,
        scopes: ['admin:write'],
        operations: ['POST /admin/users'],
      },
    ],
    early: [T, T + 60_000, T + 120_000],
    days: [Math.floor(T / (24 * HOUR))],
    violations: [
      {
        token: 'https://as.example\nt-2',
        required: ['admin:read'],
        operation: 'POST /admin/users',
        use: { ...c, origin: home },
      },
    ],
    latest: c.time,
    standing: [
      { kind: 'escalation', confidence: 0.8, suspect: suspectC },
      { kind: 'violation', confidence: 0.75, suspect: suspectC },
      { kind: 'drift', confidence: 0.75, suspect: suspectC },
    ],
  },
};
const versions = { 'token-replay': 2, 'impossible-travel': 1, 'scope-drift': 1 };

function eventOf(
  { ip, geo_build, ...use }: typeof a,
  fields: Partial<EnrichedAccessEvent> = {},
): EnrichedAccessEvent {
  const { network, device } = ip === home.network.ip ? home : tokyo;
  const { class: kind, ...where } = network;
  const { user_agent, family, os }: { user_agent: string; family: string; os?: string } = device;
  return {
    kind: 'access',
    client_ip: ip,
    user_agent,
    iat: T - HOUR,
    scope: use.jti === 't-1' ? scope : scopeC,
    ...use,
    ...fields,
    enrichment: {
      ...where,
      ...places[network.city as keyof typeof places],
      network: kind as NetworkClass,
      ua_family: family,
      ...(os !== undefined && { ua_os: os }),
      geo_build,
    },
  };
}

const granted = (event_id: string, fields: object): StreamEvent => ({
  kind: 'authorization',
  type: 'token_issued',
  event_id,
  time: T - HOUR,
  ...whose,
  scope,
  ...fields,
});
const story: StreamEvent[] = [
  granted('i', { jti: 't-1' }),
  granted('k', { type: 'consent_granted' }),
  eventOf(a),
  eventOf(b),
  eventOf(c),
];
// What goes on from there: the thief comes back with yet another token, and then the owner.
const later: StreamEvent[] = [
  eventOf({ ...b, event_id: 'd', time: T + 180_000, jti: 't-3', route: '/admin/keys' }),
  eventOf({ ...a, event_id: 'e', time: T + 240_000 }),
];

describe.each([tokenReplay, impossibleTravel, scopeDrift] as AnyDetector[])('$id', (detector) => {
  const id = detector.id as keyof typeof recorded;
  const options = {
    learning_events: 1,
    learning_days: 0,
    routes: [{ route: '/admin/*', scopes: ['admin:read'] }],
  };
  const ctx: DetectorContext<unknown> = {
    config: detector.config.parse(id === 'scope-drift' ? options : {}),
    allowedLateness: 6 * HOUR,
    adoption: () => ({ subjects: 1, population: 1, firstSeen: null }),
  };
  const migrated = () =>
    detector.migrate?.(JSON.parse(JSON.stringify(recorded[id])), versions[id]) as unknown;
  const say = (state: unknown, events: readonly StreamEvent[]) =>
    events
      .filter((event) => detector.key(event) !== null)
      .flatMap((event) => detector.evaluate(event, state, ctx) ?? [])
      .map(({ kind, confidence, suspect: { event_id } }) => `${event_id} ${kind} ${confidence}`);

  test('a state of the version before says no word twice, and takes none back', () => {
    expect(say(migrated(), story)).toEqual([]);
  });

  test('and goes on as if it had always been of this version', () => {
    const state: unknown = detector.initial();
    expect(say(state, story).length).toBeGreaterThan(0);
    expect(say(migrated(), later)).toEqual(say(state, later));
  });

  test('what is no state of any version, or of one that is not known, begins anew', () => {
    expect(detector.migrate?.(recorded[id], 99)).toBeUndefined();
    expect(detector.migrate?.({ sessions: 'none' }, versions[id])).toBeUndefined();
    expect(detector.migrate?.(null, versions[id])).toBeUndefined();
  });
});

test('every detector whose shape has changed can migrate', () => {
  for (const one of detectors) {
    expect([one.id, one.stateVersion === 1 || one.migrate !== undefined]).toEqual([one.id, true]);
  }
});
