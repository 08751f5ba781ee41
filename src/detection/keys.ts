import type { EnrichedAccessEvent } from '../../schemas/access-event.ts';
import type { Evidence } from '../../schemas/finding.ts';
import type { SuspectUse } from './contract.ts';

/** The identity fields that access and authorization events share. */
interface Identity {
  iss?: string | undefined;
  sub?: string | undefined;
  client_id?: string | undefined;
  sid?: string | undefined;
  jti?: string | undefined;
  token_hash?: string | undefined;
  grant_type?: string | undefined;
}

// A key never mixes issuers: the same `sub` at two of them is two people.
const scoped = (event: Identity, value: string) => `${event.iss ?? ''}\n${value}`;

/** Key of one access token: its `jti`, else its hash; null where the event names no token. */
export function tokenKey(event: Identity): string | null {
  if (event.jti !== undefined) return scoped(event, event.jti);
  return event.token_hash ?? null;
}

/** Key of the subject; null where the event names none. */
export function subjectKey(event: Identity): string | null {
  return event.sub === undefined ? null : scoped(event, event.sub);
}

/** Key of the client; null where the event names none. */
export function clientKey(event: Identity): string | null {
  return event.client_id === undefined ? null : scoped(event, event.client_id);
}

/** Key of a grant: what one subject gave one client; null where the event lacks the client. */
export function grantKey(event: Identity): string | null {
  return event.client_id === undefined ? null : scoped(event, `${event.sub ?? ''}\n${event.client_id}`);
}

/** Whether a machine holds the token: no subject, the client itself as subject, or a client credentials grant. */
export function isMachine(event: Identity): boolean {
  return (
    event.sub === undefined || event.sub === event.client_id || event.grant_type === 'client_credentials'
  );
}

/** The use of a token as alerts show it. */
export function evidenceOf(event: EnrichedAccessEvent): Evidence {
  const { enrichment: where } = event;
  return {
    event_id: event.event_id,
    request_id: event.request_id,
    time: event.time,
    client_ip: where.ip,
    country: where.country,
    city: where.city,
    asn: where.asn,
    network: where.network,
    user_agent: event.user_agent,
    method: event.method,
    route: event.route,
    status: event.status,
    geo_build: where.geo_build,
  };
}

/** What a finding about this use concerns. */
export function suspectOf(event: EnrichedAccessEvent): SuspectUse {
  const { event_id, time, iss, sub, client_id, sid, jti, token_hash } = event;
  return { event_id, time, iss, sub, client_id, sid, jti, token_hash };
}
