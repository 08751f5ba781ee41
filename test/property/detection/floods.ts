import type { EnrichedAccessEvent } from '../../../schemas/access-event.ts';
import type { AuthorizationEvent } from '../../../schemas/authorization-event.ts';
import type { StreamEvent } from '../../../src/detection/contract.ts';

/*
 * Input that is out of all proportion: one person (or one client) with thousands of everything, in fields as long as
 * schemas allow. `vary` says how many of a kind there are.
 */

const START = Date.UTC(2026, 0, 20);
const NETWORKS = ['residential', 'hosting', 'mobile', 'unknown', 'anonymizer'] as const;

export interface Flood {
  events: number;
  /** Milliseconds between two events. */
  step: number;
  sessions: number;
  tokens: number;
  devices: number;
  places: number;
  scopes: number;
  routes: number;
  /** Characters that names are filled up to, as far as the schema allows. */
  length: number;
  /** What they are filled up with. */
  filler: string;
  machine?: boolean;
}

/** Pseudo-random, the same in each run: which of a kind the event has. */
const pick = (index: number, salt: number, of: number) =>
  ((index * 2_654_435_761 + salt * 40_503) >>> 7) % of;

export function* flood(of: Flood): Generator<StreamEvent> {
  const fill = (text: string, most: number) =>
    of.length === 0 ? text : text.padEnd(Math.min(of.length, most), of.filler);
  const iss = fill('https://as.example/', 2048);
  const sub = of.machine === true ? undefined : fill('user-1', 512);
  for (let index = 0; index < of.events; index += 1) {
    // A tenth arrives hours late.
    const time = START + index * of.step - (pick(index, 9, 10) === 0 ? pick(index, 10, 21_600_000) : 0);
    const token = pick(index, 1, of.tokens);
    const whose = {
      iss,
      ...(sub !== undefined && { sub }),
      client_id: fill('client-1', 512),
      sid: fill(`session-${pick(index, 2, of.sessions)}-`, 512),
      jti: fill(`token-${token}-`, 512),
      token_hash: fill(`hash-${token}-`, 128),
    };
    const scope = Array.from({ length: 1 + (index % 5) }, (_, at) =>
      fill(`scope-${pick(index, 20 + at, of.scopes)}-`, 300),
    ).sort();
    if (pick(index, 11, 4) === 0) yield grant(index, time, whose, scope);
    const place = pick(index, 3, of.places);
    const device = pick(index, 4, of.devices);
    const ip = `198.18.${place % 256}.${index % 256}`;
    const access: EnrichedAccessEvent = {
      kind: 'access',
      event_id: String(index).padStart(32, '0'),
      time,
      request_id: fill(`request-${index}-`, 256),
      ...whose,
      client_ip: ip,
      iat: time - pick(index, 5, 7_200_000),
      scope,
      method: (['GET', 'POST', 'DELETE'] as const)[index % 3]!,
      route: fill(`/admin/${pick(index, 6, of.routes)}/`, 1024),
      status: 200,
      user_agent: fill(`agent-${device}/1 `, 2048),
      ja4: fill(`t13d1516h2_${device}_`, 128),
      ...(of.machine === true && { grant_type: 'client_credentials' }),
      enrichment: {
        ip,
        network: NETWORKS[place % NETWORKS.length]!,
        country: `C${place % 50}`,
        city: `City ${place}`,
        latitude: (place * 37) % 90,
        longitude: (place * 53) % 180,
        asn: 64_000 + place,
        as_org: `Operator ${place}`,
        ua_family: `Agent ${device}`,
        geo_build: 'dbip-city-ipv4@2026-06-05',
      },
    };
    yield access;
  }
}

function grant(
  index: number,
  time: number,
  { iss, client_id, jti, ...whose }: { iss: string; sub?: string; client_id: string; jti: string },
  scope: string[],
): AuthorizationEvent {
  return {
    kind: 'authorization',
    event_id: `grant-${index}`,
    type: index % 3 === 0 ? 'consent_granted' : 'token_issued',
    time: time - 1000,
    iss,
    ...(whose.sub !== undefined && { sub: whose.sub }),
    client_id,
    jti,
    scope: index % 5 === 0 ? scope.slice(1) : scope,
  };
}
