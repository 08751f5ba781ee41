import type { EnrichedAccessEvent } from '../../schemas/access-event.ts';
import type { Evidence } from '../../schemas/finding.ts';
import { clip, deviceOf, networkOf, type Device, type Network } from './client-context.ts';
import type { SuspectUse } from './contract.ts';

/** One use of a token as states keep it. What many uses share is kept once, in {@link Shared}, and named by number. */
export interface Use {
  event_id: string;
  time: number;
  /** Number of a {@link Token}. */
  token: number;
  /** Number of an {@link Origin}. */
  origin: number;
  ip: string;
  request_id?: string | undefined;
  method?: string | undefined;
  route?: string | undefined;
  status?: number | undefined;
}

/** Whose tokens: all tokens of one session, or of one grant where no session is named. */
export interface Party {
  number: number;
  iss?: string | undefined;
  sub?: string | undefined;
  client_id?: string | undefined;
  sid?: string | undefined;
}

/** A token that was used; without `jti` and `token_hash` where a use names none. */
export interface Token {
  number: number;
  /** Number of its {@link Party}. */
  party: number;
  jti?: string | undefined;
  token_hash?: string | undefined;
}

/** Where uses came from, and from what: a network without the address, and a device. */
export interface Origin extends Device, Omit<Network, 'ip'> {
  number: number;
  geo_build?: string | undefined;
}

/** What the uses in a state share. Plain data, part of the state. */
export interface Shared {
  parties: Party[];
  tokens: Token[];
  origins: Origin[];
  /** The next number to give. Numbers are names: which one something got says nothing. */
  next: number;
}

export const emptyShared = (): Shared => ({ parties: [], tokens: [], origins: [], next: 0 });

function numbered<T extends { number: number }>(shared: Shared, list: T[], make: (number: number) => T): T {
  const entry = make(shared.next);
  shared.next += 1;
  list.push(entry);
  return entry;
}

/** The token a use is of, as the state keeps it. */
export function tokenOf(shared: Shared, use: Omit<SuspectUse, 'event_id' | 'time'>): Token {
  const { iss, sub, client_id, sid, jti, token_hash } = use;
  const party =
    shared.parties.findLast(
      (one) => one.sid === sid && one.client_id === client_id && one.sub === sub && one.iss === iss,
    ) ?? numbered(shared, shared.parties, (number) => ({ number, iss, sub, client_id, sid }));
  return (
    shared.tokens.findLast(
      (one) => one.party === party.number && one.jti === jti && one.token_hash === token_hash,
    ) ?? numbered(shared, shared.tokens, (number) => ({ number, party: party.number, jti, token_hash }))
  );
}

function originOf(shared: Shared, event: EnrichedAccessEvent): Origin {
  const { class: kind, asn, as_org, country, city } = networkOf(event);
  const { user_agent, family, os, ja4 } = deviceOf(event);
  const { geo_build } = event.enrichment;
  return (
    shared.origins.findLast(
      (one) =>
        one.asn === asn &&
        one.user_agent === user_agent &&
        one.city === city &&
        one.ja4 === ja4 &&
        one.class === kind &&
        one.country === country &&
        one.as_org === as_org &&
        one.family === family &&
        one.os === os &&
        one.geo_build === geo_build,
    ) ??
    numbered(shared, shared.origins, (number) => ({
      number,
      class: kind,
      asn,
      as_org,
      country,
      city,
      user_agent,
      family,
      os,
      ja4,
      geo_build,
    }))
  );
}

/** Characters of names that an event commonly stays below. */
const COMMON_CHARACTERS = 600;
/** Longest route, in characters, that evidence shows in full. */
const ROUTE_CHARACTERS = 200;

/** The use that an event is, in terms of the state that is going to keep it. */
export function useOf(shared: Shared, event: EnrichedAccessEvent): Use {
  const { event_id, time, request_id, method, status } = event;
  const token = tokenOf(shared, event).number;
  const origin = originOf(shared, event).number;
  const route = clip(event.route, ROUTE_CHARACTERS);
  return { event_id, time, token, origin, ip: event.enrichment.ip, request_id, method, route, status };
}

/** Whether what states keep of the event is out of proportion to what events commonly are. */
export function isLong({
  iss,
  sub,
  client_id,
  sid,
  jti,
  request_id,
  route,
  scope,
}: EnrichedAccessEvent): boolean {
  let characters = 0;
  for (const text of [iss, sub, client_id, sid, jti, request_id, route]) characters += text?.length ?? 0;
  for (const text of scope ?? []) characters += text.length;
  return characters > COMMON_CHARACTERS;
}

/** Forgets what nothing of the `kept` names any more. */
export function prune(
  shared: Shared,
  kept: {
    uses: Iterable<Pick<Use, 'token' | 'origin'>>;
    tokens?: Iterable<number>;
    parties?: Iterable<number>;
    origins?: Iterable<number>;
  },
): void {
  const tokens = new Set(kept.tokens);
  const origins = new Set(kept.origins);
  for (const use of kept.uses) {
    tokens.add(use.token);
    origins.add(use.origin);
  }
  shared.tokens = shared.tokens.filter(({ number }) => tokens.has(number));
  const parties = new Set(kept.parties);
  for (const { party } of shared.tokens) parties.add(party);
  shared.parties = shared.parties.filter(({ number }) => parties.has(number));
  shared.origins = shared.origins.filter(({ number }) => origins.has(number));
}

function byNumber<T extends { number: number }>(list: readonly T[], number: number): T {
  const found = list.findLast((one) => one.number === number);
  if (found === undefined) throw new RangeError(`the state lacks number ${number}`);
  return found;
}

/** Where a use came from. */
export const originOfUse = (shared: Shared, { origin }: Pick<Use, 'origin'>): Origin =>
  byNumber(shared.origins, origin);

/** The network a use came through. */
export const networkOfUse = (shared: Shared, use: Use): Network => {
  const { class: kind, asn, as_org, country, city } = originOfUse(shared, use);
  return { class: kind, ip: use.ip, asn, as_org, country, city };
};

/** What names the token: its `jti`, else its hash; undefined where its uses named neither. */
export function nameOf(shared: Shared, token: number): string | undefined {
  const { jti, token_hash } = byNumber(shared.tokens, token);
  return jti ?? token_hash;
}

/** Whether two tokens, by number, are the same. */
export const isSameToken = (shared: Shared, a: number, b: number): boolean =>
  a === b || nameOf(shared, a) === nameOf(shared, b);

/** Whose token it is. */
export const partyOf = (shared: Shared, token: number): Party =>
  byNumber(shared.parties, byNumber(shared.tokens, token).party);

/** What names the session of a token: `sid`, which several clients may share, else the token; undefined where nothing does. */
export function sessionOf(shared: Shared, token: number): string | undefined {
  const { iss, sid } = partyOf(shared, token);
  return sid === undefined ? nameOf(shared, token) : `${iss ?? ''}\n${sid}`;
}

/** What a finding about the use concerns. */
export function suspectOfUse(
  shared: Shared,
  { event_id, time, token }: Pick<Use, 'event_id' | 'time' | 'token'>,
): SuspectUse {
  const { jti, token_hash } = byNumber(shared.tokens, token);
  const { iss, sub, client_id, sid } = partyOf(shared, token);
  return { event_id, time, iss, sub, client_id, sid, jti, token_hash };
}

/** The use as alerts show it. */
export function evidenceOfUse(shared: Shared, use: Use): Evidence {
  const { event_id, request_id, time, ip, method, route, status } = use;
  const { country, city, asn, class: network, user_agent, geo_build } = originOfUse(shared, use);
  return {
    event_id,
    request_id,
    time,
    client_ip: ip,
    country,
    city,
    asn,
    network,
    user_agent,
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
