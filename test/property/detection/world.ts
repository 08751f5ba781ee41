import fc from 'fast-check';
import type { EnrichedAccessEvent, Enrichment, NetworkClass } from '../../../schemas/access-event.ts';
import type { AuthorizationEvent } from '../../../schemas/authorization-event.ts';
import type { StreamEvent } from '../../../src/detection/contract.ts';

/* The places, devices, scopes and routes of generated streams, and how their events are made and arrive. */

export const HOUR = 3_600_000;
export const MINUTE = 60_000;
export const START = Date.UTC(2026, 0, 20);
const DAYS = 4;
export const ISSUER = 'https://as.example';

type Place = Omit<Enrichment, 'ip'>;
const at = (
  network: NetworkClass,
  asn: number,
  country: string,
  city: string,
  point: [number, number],
): Place => ({
  network,
  asn,
  country,
  city,
  latitude: point[0],
  longitude: point[1],
  geo_build: 'test@1',
});
// Of each place two addresses, in different blocks and known with different accuracy: operators hand out both.
const PLACES: readonly (readonly [Place, string, string])[] = [
  [at('residential', 64501, 'FR', 'Paris', [48.86, 2.35]), '192.0.2.10', '198.18.0.10'],
  [at('residential', 64503, 'FR', 'Lyon', [45.76, 4.84]), '192.0.2.99', '198.18.9.99'],
  [at('mobile', 64502, 'FR', 'Paris', [48.86, 2.35]), '192.0.2.140', '198.18.40.1'],
  [at('mobile', 64502, 'FR', 'Lille', [50.63, 3.06]), '192.0.2.141', '198.18.41.1'],
  [at('residential', 64510, 'JP', 'Tokyo', [35.68, 139.69]), '198.51.100.10', '198.19.1.10'],
  [at('residential', 64511, 'DE', 'Berlin', [52.52, 13.4]), '198.51.100.20', '198.19.2.10'],
  [at('hosting', 64520, 'SG', 'Singapore', [1.35, 103.82]), '203.0.113.10', '198.19.3.10'],
  [at('hosting', 64521, 'IE', 'Dublin', [53.35, -6.26]), '203.0.113.20', '198.19.4.10'],
  [at('anonymizer', 64530, 'NL', 'Amsterdam', [52.37, 4.9]), '203.0.113.30', '198.19.5.10'],
  [{ network: 'unknown', country: 'BR' }, '203.0.113.40', '198.19.6.10'],
  [{ network: 'private' }, '10.0.0.1', '10.1.0.1'],
];
const CHROME = { ua_family: 'Chrome', ua_os: 'macOS' };
const DEVICES = [
  {
    user_agent: 'Mozilla/5.0 (Macintosh) Chrome/126.0',
    ...CHROME,
    ja4: 't13d1516h2_8daaf6152771_02713d6af862',
  },
  {
    user_agent: 'Mozilla/5.0 (Macintosh) Chrome/127.0',
    ...CHROME,
    ja4: 't13d1516h2_8daaf6152771_02713d6af862',
  },
  { user_agent: 'Shop/4.2 (iPhone)', ua_family: 'Shop', ua_os: 'iOS' },
  { user_agent: 'Mozilla/5.0 (iPhone) Safari/604', ua_family: 'Mobile Safari', ua_os: 'iOS' },
  { user_agent: 'Mozilla/5.0 (Windows) Firefox/142.0', ua_family: 'Firefox', ua_os: 'Windows' },
  {
    user_agent: 'python-requests/2.32',
    ua_family: 'python-requests',
    ja4: 't13d1715h1_5b57614c22b0_3d5424432f57',
  },
] as const;
export const SCOPES = [
  'orders:read',
  'orders:write',
  'profile:read',
  'admin:write',
  'reports:export',
] as const;
export const ROUTES = [
  '/orders',
  '/profile',
  '/admin/users',
  '/reports/export',
  '/orders/{id}',
  '/admin/keys',
] as const;

export const from = fc.record({
  place: fc.nat(PLACES.length - 1),
  address: fc.constantFrom(1, 2),
  device: fc.nat(DEVICES.length - 1),
});
export const useAfter = (gap: fc.Arbitrary<number>) =>
  fc.record({
    gap,
    address: fc.constantFrom(1, 1, 2),
    route: fc.nat(ROUTES.length - 1),
    method: fc.constantFrom('GET', 'GET', 'GET', 'POST', 'DELETE'),
    status: fc.constantFrom(200, 200, 200, 200, 403, undefined),
  });
export const shortGap = fc.integer({ min: 0, max: 20 * MINUTE });
export const anyGap = fc.oneof(
  { weight: 6, arbitrary: shortGap },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 10 * HOUR }) },
);
export const uses = (gap: fc.Arbitrary<number>, minLength: number, maxLength: number) =>
  fc.array(useAfter(gap), { minLength, maxLength, size: 'max' });
export const start = fc.integer({ min: 0, max: DAYS * 24 * HOUR });

export type Draft = Omit<EnrichedAccessEvent, 'event_id'> | Omit<AuthorizationEvent, 'event_id'>;
export type Use = ReturnType<typeof useAfter> extends fc.Arbitrary<infer U> ? U : never;
export type From = typeof from extends fc.Arbitrary<infer F> ? F : never;

export function access(
  time: number,
  where: From,
  { address, route, method, status }: Omit<Use, 'gap'>,
  fields: object,
): Draft {
  const [place, ...addresses] = PLACES[where.place]!;
  const { ua_family, ja4, user_agent, ...os } = { ja4: undefined, ...DEVICES[where.device]! };
  const ip = addresses[(address + where.address) % 2]!;
  return {
    kind: 'access',
    time,
    iss: ISSUER,
    client_ip: ip,
    method,
    route: ROUTES[route]!,
    status,
    user_agent,
    ja4,
    ...fields,
    enrichment: {
      ip,
      ...place,
      ...('city' in place && { accuracy_km: ip === addresses[0] ? 20 : 250 }),
      ua_family,
      ...('ua_os' in os && { ua_os: os.ua_os }),
    },
  };
}

/** The events in order of time, with ids in another order. */
export function withIds(drafts: readonly Draft[]): StreamEvent[] {
  return drafts
    .map((draft, index) => ({
      ...draft,
      event_id: `event-${String((index * 7919) % 10_007).padStart(5, '0')}`,
    }))
    .sort((a, b) => a.time - b.time || (a.event_id < b.event_id ? -1 : 1));
}

/**
 * An order in which the events may arrive: some are up to `lateness` late, most a moment. So whatever arrived before an
 * event is no more than `lateness` ahead of it.
 */
export function arrivals(events: readonly StreamEvent[], lateness: number): fc.Arbitrary<StreamEvent[]> {
  const delay = fc.oneof(
    { weight: 3, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: MINUTE }) },
    { weight: 2, arbitrary: fc.integer({ min: 0, max: lateness }) },
    { weight: 1, arbitrary: fc.constant(lateness) },
  );
  return fc.array(delay, { minLength: events.length, maxLength: events.length, size: 'max' }).map((delays) =>
    events
      .map((event, index) => ({ event, due: event.time + delays[index]! }))
      .sort((a, b) => a.due - b.due)
      .map(({ event }) => event),
  );
}
