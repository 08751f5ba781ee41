import type { EnrichedAccessEvent } from '../../schemas/access-event.ts';
import type { AuthorizationEvent } from '../../schemas/authorization-event.ts';
import { operationOf } from '../../src/detection/features.ts';
import { insertSorted } from '../../src/detection/history.ts';
import { isMachine } from '../../src/detection/keys.ts';
import type { Standing } from '../../src/detection/standing.ts';
import { isBefore, originOf, useOf, type Origin, type Use } from '../../src/detection/use.ts';
import { MAX_LEARNING_EVENTS } from './options.ts';

const DAY = 86_400_000;
const MAX_DAYS = 8;
const MAX_TOKENS = 3;
const MAX_ISSUED = 8;
const MAX_CONSENTS = 4;
/** Uses that brought something new and are kept; the oldest goes. */
export const MAX_NOVELTIES = 12;
/** A grant that uses more than this has no baseline worth the name; its routes are not templates, most likely. */
const MAX_FEATURES = 256;

/** A use with where it came from. */
export type OriginatedUse = Use & { origin: Origin };

/** A token in use: what it carries, its first use, and its first use at a time when its issuance must be known. */
export interface TokenSeen {
  jti?: string | undefined;
  token_hash?: string | undefined;
  scope: string[];
  issued_at?: number | undefined;
  first: OriginatedUse;
  settled?: OriginatedUse | undefined;
}

/** A use that was the first of the grant to show something. */
export interface Novelty {
  use: OriginatedUse;
  machine: boolean;
  scopes: string[];
  operations: string[];
}

/** What is known of one grant. Everything is a first time or a short list by time, so that any order leaves the same. */
export interface State {
  /** First time an authorization event granted each scope. */
  granted: Record<string, number>;
  /** First authorization event that named its scopes; null where none has. */
  grantsSince: number | null;
  /** First authorization event that granted something without saying what. */
  blindSince: number | null;
  consents: { time: number; event_id: string; scope: string[] }[];
  issued: {
    time: number;
    event_id: string;
    jti?: string | undefined;
    token_hash?: string | undefined;
    scope: string[];
  }[];
  tokens: TokenSeen[];
  /** First use of each scope and operation. */
  scopes: Record<string, number>;
  operations: Record<string, number>;
  features: number;
  firstWrite: number | null;
  novelties: Novelty[];
  /** Earliest distinct times and days of use. */
  early: number[];
  days: number[];
  violations: { token: string; required: string[]; operation: string; use: OriginatedUse }[];
  /** Latest event time seen: what is earlier arrived late. */
  latest: number;
  standing: Standing[];
}

export const initial = (): State => ({
  granted: {},
  grantsSince: null,
  blindSince: null,
  consents: [],
  issued: [],
  tokens: [],
  scopes: {},
  operations: {},
  features: 0,
  firstWrite: null,
  novelties: [],
  early: [],
  days: [],
  violations: [],
  latest: 0,
  standing: [],
});

export const least = (a: number | null, b: number): number => (a === null ? b : Math.min(a, b));

/** Keeps the `limit` smallest distinct numbers, sorted. */
function keepEarliest(list: number[], value: number, limit: number): void {
  if (list.length >= limit && value >= (list.at(-1) ?? value)) return;
  if (list.includes(value)) return;
  list.push(value);
  list.sort((a, b) => a - b);
  if (list.length > limit) list.pop();
}

/** What the authorization server granted. */
export function recordGrant(state: State, event: AuthorizationEvent): void {
  // Without `scope` in the answer all that was asked for is granted (RFC 6749 section 5.1).
  const scope = event.scope ?? event.requested_scope;
  if (scope === undefined) {
    state.blindSince = least(state.blindSince, event.time);
    return;
  }
  const { time, event_id, jti, token_hash } = event;
  state.grantsSince = least(state.grantsSince, time);
  for (const one of scope) state.granted[one] = least(state.granted[one] ?? null, time);
  if (event.type === 'consent_granted') insertSorted(state.consents, { time, event_id, scope }, MAX_CONSENTS);
  else if (jti !== undefined || token_hash !== undefined) {
    insertSorted(state.issued, { time, event_id, jti, token_hash, scope }, MAX_ISSUED);
  }
}

/** Whether two records name the same token. */
export function isSameToken(
  a: { jti?: string | undefined; token_hash?: string | undefined },
  b: { jti?: string | undefined; token_hash?: string | undefined },
): boolean {
  if (a.jti !== undefined && b.jti !== undefined) return a.jti === b.jti;
  return a.token_hash !== undefined && a.token_hash === b.token_hash;
}

/** The use that an event is. Strings and origin are shared with the last one kept where they are the same. */
export function originatedUse(state: State, event: EnrichedAccessEvent): OriginatedUse {
  const like = state.tokens.at(-1)?.first;
  const { ip, network } = event.enrichment;
  const origin = like?.origin;
  const same =
    origin?.network.ip === ip &&
    origin.network.class === network &&
    origin.device.user_agent === event.user_agent &&
    origin.device.ja4 === event.ja4;
  return { ...useOf(event, like), origin: same ? origin : originOf(event) };
}

function recordToken(state: State, event: EnrichedAccessEvent, lag: number): boolean {
  const { jti, token_hash, scope, iat } = event;
  if (scope === undefined || (jti === undefined && token_hash === undefined)) return false;
  const known = state.tokens.find((one) => isSameToken(one, event));
  const isSettled = iat !== undefined && event.time >= iat + lag;
  if (known === undefined) {
    const first = originatedUse(state, event);
    state.tokens.push({
      jti,
      token_hash,
      scope,
      issued_at: iat,
      first,
      settled: isSettled ? first : undefined,
    });
    state.tokens.sort((a, b) => (isBefore(a.first, b.first) ? -1 : 1));
    if (state.tokens.length > MAX_TOKENS) state.tokens.shift();
    return true;
  }
  const isFirst = isBefore(event, known.first);
  if (isFirst) known.first = originatedUse(state, event);
  const isFirstSettled = isSettled && (known.settled === undefined || isBefore(event, known.settled));
  if (isFirstSettled) known.settled = originatedUse(state, event);
  return isFirst || isFirstSettled;
}

/** First use of a feature, moved from the use that was thought to be the first. Returns whether the event is it. */
function claimFirst(
  state: State,
  kind: 'scopes' | 'operations',
  feature: string,
  event: EnrichedAccessEvent,
): boolean {
  const first = state[kind][feature];
  if (first !== undefined && first < event.time) return false;
  const holder = state.novelties.find((one) => one[kind].includes(feature));
  if (first === event.time && holder === undefined) return false;
  if (holder !== undefined) {
    if (!isBefore(event, holder.use)) return false;
    holder[kind] = holder[kind].filter((one) => one !== feature);
  }
  return true;
}

function recordFeatures(state: State, event: EnrichedAccessEvent): boolean {
  const teaches = event.enrichment.network !== 'anonymizer';
  const operation = operationOf(event);
  const scopes = (event.scope ?? []).filter((scope) => claimFirst(state, 'scopes', scope, event));
  const operations =
    operation !== undefined && claimFirst(state, 'operations', operation, event) ? [operation] : [];
  if (teaches) {
    for (const scope of scopes) learn(state, state.scopes, scope, event.time);
    for (const one of operations) learn(state, state.operations, one, event.time);
    if (isWrite(event.method)) state.firstWrite = least(state.firstWrite, event.time);
    keepEarliest(state.early, event.time, MAX_LEARNING_EVENTS);
    keepEarliest(state.days, Math.floor(event.time / DAY), MAX_DAYS);
  }
  if (scopes.length === 0 && operations.length === 0) return false;
  const known = state.novelties.find(({ use }) => use.event_id === event.event_id);
  if (known === undefined) {
    state.novelties.push({ use: originatedUse(state, event), machine: isMachine(event), scopes, operations });
    state.novelties.sort((a, b) => (isBefore(a.use, b.use) ? -1 : 1));
  }
  state.novelties = state.novelties
    .filter((one) => one.scopes.length + one.operations.length > 0)
    .slice(-MAX_NOVELTIES);
  return true;
}

export function isWrite(method: string | undefined): boolean {
  return method === 'POST' || method === 'PUT' || method === 'PATCH' || method === 'DELETE';
}

function learn(state: State, baseline: Record<string, number>, feature: string, time: number): void {
  const first = baseline[feature];
  if (first === undefined && state.features >= MAX_FEATURES) return;
  if (first === undefined) state.features += 1;
  baseline[feature] = first === undefined ? time : Math.min(first, time);
}

/** Whether so much was used that there is no telling what is new. */
export const isSaturated = (state: State): boolean => state.features >= MAX_FEATURES;

/**
 * What the gateway let the grant's tokens do.
 *
 * @param lag ms after which the authorization events of a moment have surely arrived
 * @returns whether anything changed that a claim can rest on
 */
export function recordAccess(state: State, event: EnrichedAccessEvent, lag: number): boolean {
  const isLate = event.time < state.latest;
  state.latest = Math.max(state.latest, event.time);
  const newToken = recordToken(state, event, lag);
  const newFeature = recordFeatures(state, event);
  return isLate || newToken || newFeature;
}
