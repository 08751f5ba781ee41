import type { EnrichedAccessEvent } from '../../schemas/access-event.ts';
import type { AuthorizationEvent } from '../../schemas/authorization-event.ts';
import { scopeFeature } from '../../src/detection/features.ts';
import { insertSorted, latestOf, shrinkTo } from '../../src/detection/history.ts';
import type { Standing } from '../../src/detection/standing.ts';
import { emptyShared, isLong, prune, type Shared, type Use } from '../../src/detection/use.ts';
import { least, noFirsts, noteFirst, type Firsts } from './firsts.ts';
import { recordFeatures, type Novelty } from './novelties.ts';
import type { Options } from './options.ts';
import { lookedAt, numberOfScopes, type ScopeList } from './scopes.ts';
import { isOpenToken, matchIssuance, recordToken, type TokenSeen } from './tokens.ts';
import { recordViolation, type Violation } from './violation.ts';

/** Of these the latest stay, and of the last hours as many as fit. */
const TOKENS = { least: 12, most: 32 };
const ISSUED = { least: 8, most: 32 };
const CONSENTS = { least: 8, most: 8 };
const VIOLATIONS = { least: 24, most: 48 };
const MAX_NOVELTIES = 32;
/** Longest state, as characters of JSON. */
const MAX_STATE = 24_000;
/** Characters that a list of scopes commonly stays below. */
const COMMON_SCOPES = 400;
/** Scopes granted that are remembered; past them there is no telling what was not. */
const GRANTED = { names: 96, characters: 3000 };

/** What an authorization event gave: a token, or consent. */
export interface Issuance {
  time: number;
  event_id: string;
  jti?: string | undefined;
  token_hash?: string | undefined;
  /** Number of the scopes. */
  scope: number;
}

/**
 * What is known of one grant. Everything is a first time, or a list of what is recent by time, so the order in which
 * events arrive and how often each does leave no trace: as long as no more tokens, issuances and the like than fit are
 * in use within two allowed latenesses, and a token is used again within one or before 12 others are.
 */
export interface State {
  shared: Shared;
  lists: ScopeList[];
  /** First time an authorization event granted each scope. */
  granted: Firsts;
  /** First authorization event that named its scopes; null where none has. */
  grantsSince: number | null;
  /** First authorization event that granted something without saying what. */
  blindSince: number | null;
  consents: Issuance[];
  issued: Issuance[];
  /** Tokens that may be, or become, suspect. Sorted by first use. */
  tokens: TokenSeen[];
  /** First use of each scope and operation. */
  baseline: Firsts;
  firstWrite: number | null;
  /** Of the window before the last lateness, and since. Sorted by use. */
  novelties: Novelty[];
  /** Earliest distinct times and days of use. */
  early: number[];
  days: number[];
  violations: Violation[];
  /** Latest time of an access event: what is earlier arrived late. */
  latest: number;
  standing: Standing[];
}

export const initial = (): State => ({
  shared: emptyShared(),
  lists: [],
  granted: noFirsts(),
  grantsSince: null,
  blindSince: null,
  consents: [],
  issued: [],
  tokens: [],
  baseline: noFirsts(),
  firstWrite: null,
  novelties: [],
  early: [],
  days: [],
  violations: [],
  latest: 0,
  standing: [],
});

/** Lets go of claims, which stand, with the uses they were made on. */
function forgetClaims(state: State, kind: string, gone: readonly Use[]): void {
  if (gone.length === 0) return;
  const ids = new Set(gone.map(({ event_id }) => event_id));
  state.standing = state.standing.filter((one) => one.kind !== kind || !ids.has(one.event_id));
}

function keepTokens(state: State, stay: readonly TokenSeen[]): void {
  const gone = state.tokens.filter((one) => !stay.includes(one));
  state.tokens = [...stay];
  forgetClaims(
    state,
    'escalation',
    gone.map(({ first }) => first),
  );
}

function keepViolations(state: State, stay: readonly Violation[]): void {
  const gone = state.violations.filter((one) => !stay.includes(one));
  state.violations = [...stay];
  forgetClaims(
    state,
    'violation',
    gone.map(({ use }) => use),
  );
}

function pruneState(state: State): void {
  const { tokens, novelties, violations, standing, issued, consents } = state;
  prune(state.shared, {
    uses: [
      ...tokens.map(({ first }) => first),
      ...novelties.map(({ use }) => use),
      ...violations.map(({ use }) => use),
    ],
    tokens: standing.map(({ token }) => token),
  });
  const lists = new Set([...issued, ...consents, ...tokens].map(({ scope }) => scope));
  for (const { issued: number } of tokens) if (number !== undefined) lists.add(number);
  state.lists = state.lists.filter(({ number }) => lists.has(number));
}

/** Lets go of the oldest of the longest list. */
function dropOldest(state: State): boolean {
  const { tokens, novelties, violations, issued, consents } = state;
  const most = Math.max(...[tokens, novelties, violations, issued, consents].map(({ length }) => length));
  if (most === 0) return false;
  if (tokens.length === most) keepTokens(state, tokens.slice(1));
  else if (novelties.length === most) novelties.shift();
  else if (violations.length === most) keepViolations(state, violations.slice(1));
  else if (issued.length === most) issued.shift();
  else consents.shift();
  return true;
}

/** Whether the use of a claim `drift`, or of a novelty, is not settled yet and still in the history. */
export function isOpen({ latest, novelties }: State, time: number, lateness: number): boolean {
  return time >= latest - lateness && time >= (novelties[0]?.use.time ?? Infinity);
}

function tidy(state: State, { window }: Options, lateness: number, isOutsized: boolean): void {
  const since = state.latest - 2 * lateness;
  const tokenTime = ({ last, first }: TokenSeen) => ({ time: last, event_id: first.event_id });
  const open = state.tokens.filter((one) => isOpenToken(state, one.issued_at, lateness));
  keepTokens(state, latestOf(open, tokenTime, { ...TOKENS, since }));
  state.issued = latestOf(state.issued, (one) => one, { ...ISSUED, since });
  state.consents = latestOf(state.consents, (one) => one, { ...CONSENTS, since });
  const violationTime = ({ last, use }: Violation) => ({ time: last, event_id: use.event_id });
  keepViolations(state, latestOf(state.violations, violationTime, { ...VIOLATIONS, since }));
  // What is open is held against the window before it.
  const windowSince = state.latest - lateness - window;
  state.novelties = state.novelties.filter(({ use }) => use.time >= windowSince).slice(-MAX_NOVELTIES);
  state.standing = state.standing.filter(({ kind, time }) => kind !== 'drift' || time >= windowSince);
  pruneState(state);
  const { tokens, issued, consents, violations, novelties } = state;
  const entries = [tokens, issued, consents, violations, novelties].reduce(
    (sum, { length }) => sum + length,
    0,
  );
  shrinkTo(
    MAX_STATE,
    state,
    { entries, isLong: isOutsized },
    {
      dropOldest: () => dropOldest(state),
      prune: () => pruneState(state),
    },
  );
}

/** What the authorization server granted. */
export function recordGrant(
  state: State,
  event: AuthorizationEvent,
  options: Options,
  lateness: number,
): void {
  // Without `scope` in the answer all that was asked for is granted (RFC 6749 section 5.1).
  const scope = event.scope ?? event.requested_scope;
  if (scope === undefined || lookedAt(scope).length < scope.length) {
    state.blindSince = least(state.blindSince, event.time);
    return;
  }
  const { time, event_id, jti, token_hash } = event;
  state.grantsSince = least(state.grantsSince, time);
  for (const one of scope) noteFirst(state.granted, scopeFeature(one), time, GRANTED);
  const issuance = { time, event_id, jti, token_hash, scope: numberOfScopes(state, scope) };
  if (event.type === 'consent_granted') insertSorted(state.consents, issuance);
  else if (jti !== undefined || token_hash !== undefined) {
    insertSorted(state.issued, issuance);
    matchIssuance(state);
  }
  tidy(state, options, lateness, lookedAt(scope).join(' ').length > COMMON_SCOPES);
}

/**
 * What the gateway let the grant's tokens do.
 *
 * @param lateness how far behind the latest event others may still come, ms
 * @returns whether anything changed that a claim can rest on
 */
export function recordAccess(
  state: State,
  event: EnrichedAccessEvent,
  options: Options,
  lateness: number,
): boolean {
  const { shared } = state;
  const { next } = shared;
  const isLate = event.time < state.latest;
  state.latest = Math.max(state.latest, event.time);
  const newToken = recordToken(state, event, options.authorization_lag, lateness);
  const newFeature = recordFeatures(state, event);
  const newViolation = recordViolation(state, event, options);
  const isNew = newToken || newFeature || newViolation;
  const isOutsized = isLong(event);
  if (isNew || isOutsized || shared.next !== next) tidy(state, options, lateness, isOutsized);
  return isLate || isNew;
}
