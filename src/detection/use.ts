import type { EnrichedAccessEvent } from '../../schemas/access-event.ts';
import type { Evidence } from '../../schemas/finding.ts';
import { deviceOf, networkOf, type Device, type Network } from './client-context.ts';
import type { SuspectUse } from './contract.ts';

/** One use of a token as states keep it: what it concerns, and what an alert shows of it besides its context. */
export interface Use extends SuspectUse {
  ip: string;
  request_id?: string | undefined;
  method?: string | undefined;
  route?: string | undefined;
  status?: number | undefined;
  geo_build?: string | undefined;
}

/** What many uses share: where they came from, and from what. */
export interface Origin {
  network: Network;
  device: Device;
}

/** `text`, but as the very string `like` where they are equal: every event brings strings of its own to memory. */
function shared<T>(text: T, like: T | undefined): T {
  return like !== undefined && text === like ? like : text;
}

/**
 * The use that an event is.
 *
 * @param like an earlier use of the same context, whose strings are taken where they are the same
 */
export function useOf(event: EnrichedAccessEvent, like?: Use): Use {
  const { ip, geo_build } = event.enrichment;
  return {
    event_id: event.event_id,
    time: event.time,
    iss: shared(event.iss, like?.iss),
    sub: shared(event.sub, like?.sub),
    client_id: shared(event.client_id, like?.client_id),
    sid: shared(event.sid, like?.sid),
    jti: shared(event.jti, like?.jti),
    token_hash: shared(event.token_hash, like?.token_hash),
    ip: shared(ip, like?.ip),
    request_id: event.request_id,
    method: shared(event.method, like?.method),
    route: shared(event.route, like?.route),
    status: event.status,
    geo_build: shared(geo_build, like?.geo_build),
  };
}

export function originOf(event: EnrichedAccessEvent): Origin {
  return { network: networkOf(event), device: deviceOf(event) };
}

/** What a finding about the use concerns. */
export function suspectOfUse({ event_id, time, iss, sub, client_id, sid, jti, token_hash }: Use): SuspectUse {
  return { event_id, time, iss, sub, client_id, sid, jti, token_hash };
}

/** The use as alerts show it. */
export function evidenceOfUse(use: Use, { network, device }: Origin): Evidence {
  const { event_id, request_id, time, ip, method, route, status, geo_build } = use;
  const { country, city, asn } = network;
  return {
    event_id,
    request_id,
    time,
    client_ip: ip,
    country,
    city,
    asn,
    network: network.class,
    user_agent: device.user_agent,
    method,
    route,
    status,
    geo_build,
  };
}

/** Whether `a` comes before `b`: by event time, then by id, so that the order of arrival does not matter. */
export function isBefore(
  a: { time: number; event_id: string },
  b: { time: number; event_id: string },
): boolean {
  return a.time < b.time || (a.time === b.time && a.event_id < b.event_id);
}

/** A time span in the words of a reason: `40 s`, `12 min`, `5 h`. */
export function describeSpan(ms: number): string {
  if (ms < 120_000) return `${Math.round(ms / 1000)} s`;
  return ms < 7_200_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 3_600_000)} h`;
}
