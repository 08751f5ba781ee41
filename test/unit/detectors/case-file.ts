import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import { networkClass, type EnrichedAccessEvent } from '../../../schemas/access-event.ts';
import { authorizationEventType, type AuthorizationEvent } from '../../../schemas/authorization-event.ts';
import { signal } from '../../../schemas/finding.ts';

/** An offset from the start of a case, such as `-5d`, `90m` or `50ms`. */
const offset = z.string().regex(/^-?\d+(ms|s|m|h|d)$/);
const nothing = z.null().transform(() => undefined);
const field = z.union([z.string(), nothing]).optional();

const eventLine = z.strictObject({
  at: offset,
  id: z.string().optional(),
  every: offset.optional(),
  times: z.number().int().min(1).optional(),
  type: authorizationEventType.optional(),
  from: z.string().optional(),
  by: z.string().optional(),
  sub: field,
  client_id: field,
  jti: field,
  sid: field,
  iat: offset.optional(),
  scope: z.array(z.string()).optional(),
  grant_type: z.string().optional(),
  status: z.number().optional(),
  method: z.string().optional(),
  route: z.string().optional(),
  cnf: z.looseObject({ jkt: z.string().optional() }).optional(),
  dpop: z.strictObject({ jkt: z.string() }).optional(),
});
const defaults = eventLine.partial();

const expectation = z.strictObject({
  kind: z.string(),
  suspect: z.string().optional().describe('`id` of the suspect use'),
  confidence: z.tuple([z.number(), z.number()]).optional(),
  signals: z.array(signal).optional(),
  conclusive: z.boolean().optional(),
  reason: z.string().optional().describe('What the reason contains'),
});

const caseFile = z.strictObject({
  defaults,
  places: z.record(
    z.string(),
    z.strictObject({
      ip: z.string(),
      country: z.string().optional(),
      city: z.string().optional(),
      lat: z.number().optional(),
      lon: z.number().optional(),
      asn: z.number().optional(),
      network: networkClass,
    }),
  ),
  devices: z.record(
    z.string(),
    z.strictObject({
      ua: z.string(),
      family: z.string(),
      os: z.string().optional(),
      ja4: z.string().optional(),
    }),
  ),
  cases: z.array(
    z.strictObject({
      name: z.string(),
      defaults: defaults.optional(),
      config: z.record(z.string(), z.unknown()).optional(),
      across_keys: z
        .boolean()
        .default(false)
        .describe('Rests on peers, all of whom have arrived only once the allowed lateness has passed'),
      ordered_only: z.string().optional().describe('Why the order of delivery matters here'),
      events: z.array(eventLine).min(1),
      expect: z.array(expectation),
    }),
  ),
});
type CaseFile = z.infer<typeof caseFile>;
export type Case = CaseFile['cases'][number];

const START = Date.UTC(2026, 0, 20, 9);
const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function milliseconds(text: string): number {
  const [, amount, unit] = /^(-?\d+)(ms|s|m|h|d)$/.exec(text)!;
  return Number(amount) * UNITS[unit as keyof typeof UNITS];
}

export function readCases(path: URL): CaseFile {
  return caseFile.parse(parse(readFileSync(path, 'utf8')));
}

/** The events of a case in order of their lines, enriched as the lines say. */
export function eventsOf(file: CaseFile, one: Case): (EnrichedAccessEvent | AuthorizationEvent)[] {
  return one.events.flatMap((line, number) => {
    const all = { ...file.defaults, ...one.defaults, ...line };
    const every = all.every === undefined ? 0 : milliseconds(all.every);
    return Array.from({ length: all.times ?? 1 }, (_, repeat) => {
      const time = START + milliseconds(all.at) + repeat * every;
      const event_id = all.id ?? `event-${number}-${repeat}`;
      const { sub, client_id, jti, sid, scope, grant_type } = all;
      const who = { iss: 'https://as.example', sub, client_id, jti, sid, scope, grant_type };
      if (all.type !== undefined) return { kind: 'authorization', event_id, time, type: all.type, ...who };
      const place = file.places[all.from ?? '']!;
      const device = file.devices[all.by ?? '']!;
      return {
        kind: 'access',
        event_id,
        request_id: event_id,
        time,
        ...who,
        client_ip: place.ip,
        iat: all.iat === undefined ? undefined : START + milliseconds(all.iat),
        status: all.status,
        method: all.method,
        route: all.route,
        user_agent: device.ua,
        ja4: device.ja4,
        cnf: all.cnf,
        dpop: all.dpop,
        enrichment: {
          ip: place.ip,
          network: place.network,
          ...(place.country !== undefined && { country: place.country }),
          ...(place.city !== undefined && { city: place.city }),
          ...(place.lat !== undefined && { latitude: place.lat }),
          ...(place.lon !== undefined && { longitude: place.lon }),
          ...(place.asn !== undefined && { asn: place.asn }),
          ua_family: device.family,
          ...(device.os !== undefined && { ua_os: device.os }),
        },
      };
    });
  });
}
