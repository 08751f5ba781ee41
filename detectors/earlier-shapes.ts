import { z } from 'zod';
import { networkClass, type EnrichedAccessEvent } from '../schemas/access-event.ts';

/*
 * How states kept uses before they were kept by number (token-replay up to version 2, the others in version 1), for
 * the migrations of detectors.
 */

const text = z.string().optional();
const number = z.number().optional();

export const earlierSuspect = z.object({
  event_id: z.string(),
  time: z.number(),
  iss: text,
  sub: text,
  client_id: text,
  sid: text,
  jti: text,
  token_hash: text,
});

export const earlierUse = earlierSuspect.extend({
  ip: z.string(),
  request_id: text,
  method: text,
  route: text,
  status: number,
  geo_build: text,
});
type EarlierUse = z.infer<typeof earlierUse>;

export const earlierOrigin = z.object({
  network: z.object({
    class: networkClass,
    ip: z.string(),
    asn: number,
    as_org: text,
    country: text,
    city: text,
  }),
  device: z.object({ user_agent: text, family: text, os: text, ja4: text }),
});
type EarlierOrigin = z.infer<typeof earlierOrigin>;

export const earlierStanding = z.object({
  kind: z.string(),
  confidence: z.number(),
  suspect: earlierSuspect,
});

/** The access event that such a use was, as far as it was kept. */
export function eventOf(use: EarlierUse, { network, device }: EarlierOrigin): EnrichedAccessEvent {
  const { ip, geo_build, ...fields } = use;
  const { class: kind, asn, as_org, country, city } = network;
  const { user_agent, family, os, ja4 } = device;
  return {
    kind: 'access',
    ...fields,
    client_ip: ip,
    user_agent,
    ja4,
    enrichment: {
      ip,
      network: kind,
      ...(asn !== undefined && { asn }),
      ...(as_org !== undefined && { as_org }),
      ...(country !== undefined && { country }),
      ...(city !== undefined && { city }),
      ...(family !== undefined && { ua_family: family }),
      ...(os !== undefined && { ua_os: os }),
      ...(geo_build !== undefined && { geo_build }),
    },
  };
}
