import type { EnrichedAccessEvent } from '../../schemas/access-event.ts';
import { latestOf, shrinkTo } from '../../src/detection/history.ts';
import type { Standing } from '../../src/detection/standing.ts';
import {
  emptyShared,
  isBefore,
  isLong,
  isSameToken,
  nameOf,
  originOfUse,
  partyOf,
  prune,
  useOf,
  type Shared,
  type Use,
} from '../../src/detection/use.ts';
import { nameOfNetwork, withNetwork } from './networks.ts';
import { openerOf, retire, type Opener } from './openers.ts';

/** Sessions used last stay, and of the last hours as many as fit. */
const SESSIONS = { least: 8, most: 32 };
/** Contexts of a session besides the owner's. */
const CONTEXTS = { least: 5, most: 15 };
/** Tokens of one context that are told apart, by first use: first ones do not depend on the order of arrival. */
const MAX_TOKENS = 8;
/** Longest state, as characters of JSON. */
const MAX_STATE = 24_000;

/** One device on one network, using the tokens of one session. */
export interface Context {
  first: Use;
  /** Absent while there is but one use. */
  last?: Use | undefined;
  /** First use here of each further token, in order of time: who holds the refresh token goes on with new ones. */
  further: Use[];
}

/** The uses of one session's tokens by one client, or of one token where no session is named. */
export interface Session {
  /** Number of the party, which the session is where it has a `sid`. */
  party: number;
  /** Else the number of the token. */
  token?: number | undefined;
  contexts: Context[];
  standing: Standing[];
  /** Contexts that were claimed suspect and are no longer kept. */
  gone: number;
}

/**
 * What is known of a subject. All of it are first times, latest times, and first uses of the earliest or latest of a
 * kind, so the order in which uses arrive and how often each does leave no trace: as long as a session or a context is
 * used again within the allowed lateness, or before 8 others (5 contexts) are, and no more of them than fit are in use
 * within two latenesses.
 */
export interface State {
  shared: Shared;
  sessions: Session[];
  /** Who opened sessions that are no longer kept. */
  openers: Opener[];
  /** Networks the subject has used, with the first time. */
  networks: Record<string, number>;
  /** Latest event time seen. */
  latest: number;
}

export const initial = (): State => ({
  shared: emptyShared(),
  sessions: [],
  openers: [],
  networks: {},
  latest: 0,
});

export const lastOf = ({ first, last }: Context): Use => last ?? first;

/** The contexts of a session by first use: its opener is the owner. */
export function byFirstUse(contexts: readonly Context[]): Context[] {
  return contexts.toSorted((a, b) => (isBefore(a.first, b.first) ? -1 : 1));
}

/** Who opened the sessions of the subject, other than `session`. */
export function otherOpeners(state: State, session: Session): Opener[] {
  let openers = state.openers;
  for (const one of state.sessions) {
    const [owner] = byFirstUse(one.contexts);
    if (one !== session && owner !== undefined)
      openers = retire(openers, openerOf(state.shared, owner.first));
  }
  return openers;
}

/**
 * Whether the use belongs to the session: by `sid`, else by token. Tokens of two clients in one single sign-on
 * session are two sessions here.
 */
function isOfSession(shared: Shared, { party, token }: Session, use: Use): boolean {
  if (party !== partyOf(shared, use.token).number) return false;
  return token === undefined || isSameToken(shared, token, use.token);
}

function isOfContext(shared: Shared, { first }: Context, use: Use): boolean {
  const [a, b] = [originOfUse(shared, first), originOfUse(shared, use)];
  return (
    a.asn === b.asn &&
    (a.asn !== undefined || first.ip === use.ip) &&
    a.city === b.city &&
    a.class === b.class &&
    a.user_agent === b.user_agent &&
    a.ja4 === b.ja4
  );
}

/** Takes up the use where it is the first of its token in the context. */
function recordToken(shared: Shared, context: Context, use: Use): void {
  const firsts = [context.first, ...context.further];
  const known = firsts.find((one) => isSameToken(shared, one.token, use.token));
  if (known !== undefined && !isBefore(use, known)) return;
  const sorted = [...firsts.filter((one) => one !== known), use].sort((a, b) => (isBefore(a, b) ? -1 : 1));
  const [first = use] = sorted;
  context.first = first;
  context.further = sorted
    .filter(({ token }) => nameOf(shared, token) !== undefined)
    .slice(0, MAX_TOKENS)
    .filter((one) => one !== first);
}

/** Takes up the use in its context. Returns whether it is the first one there. */
function recordInContext(state: State, session: Session, use: Use, lateness: number): boolean {
  const { shared } = state;
  const context = session.contexts.findLast((one) => isOfContext(shared, one, use));
  if (context === undefined) {
    session.contexts.push({ first: use, further: [] });
    return true;
  }
  const last = lastOf(context);
  const [owner] = byFirstUse(session.contexts);
  // Nothing that comes can make the owner a suspect any more, so their tokens need not be told apart.
  if (context === owner && context.first.time < state.latest - lateness) context.further = [];
  else recordToken(shared, context, use);
  const latest = isBefore(last, use) ? use : last;
  context.last = latest.event_id === context.first.event_id ? undefined : latest;
  return context.first === use;
}

/** Lets go of a context. What was claimed of it stands. */
function dropContexts(session: Session, dropped: readonly Context[]): void {
  session.contexts = session.contexts.filter((one) => !dropped.includes(one));
  for (const { first, further } of dropped) {
    const before = session.standing.length;
    forgetClaims(session, [first, ...further]);
    if (session.standing.length < before) session.gone += 1;
  }
}

function forgetClaims(session: Session, uses: readonly Use[]): void {
  const ids = new Set(uses.map(({ event_id }) => event_id));
  session.standing = session.standing.filter(({ event_id }) => !ids.has(event_id));
}

const lastOfSession = ({ contexts }: Session): Use =>
  contexts.map(lastOf).reduce((a, b) => (isBefore(a, b) ? b : a));

function dropSessions(state: State, stay: readonly Session[]): void {
  for (const session of state.sessions) {
    const [owner] = byFirstUse(session.contexts);
    if (stay.includes(session) || owner === undefined) continue;
    state.openers = retire(state.openers, openerOf(state.shared, owner.first));
  }
  state.sessions = [...stay];
}

function pruneState({ shared, sessions }: State): void {
  const standing = sessions.flatMap((one) => one.standing);
  prune(shared, {
    uses: sessions.flatMap(({ contexts }) =>
      contexts.flatMap((one) => [one.first, lastOf(one), ...one.further]),
    ),
    tokens: [...sessions.flatMap(({ token }) => token ?? []), ...standing.map(({ token }) => token)],
    parties: sessions.map(({ party }) => party),
  });
}

/** Lets go of the session used longest ago, else of a suspect context, else of a token. */
function dropOldest(state: State): boolean {
  const { sessions } = state;
  const [session] = sessions;
  const [owner, ...others] = byFirstUse(session?.contexts ?? []);
  if (session === undefined || owner === undefined) return false;
  if (sessions.length > 1) {
    dropSessions(
      state,
      latestOf(sessions, lastOfSession, { least: sessions.length - 1, most: 0, since: Infinity }),
    );
  } else if (others.length > 0) {
    const stay = latestOf(others, lastOf, { least: others.length - 1, most: 0, since: Infinity });
    dropContexts(
      session,
      others.filter((one) => !stay.includes(one)),
    );
  } else {
    const context = session.contexts.find(({ further }) => further.length > 0);
    const token = context?.further.pop();
    if (token === undefined) return false;
    forgetClaims(session, [token]);
  }
  return true;
}

function tidy(state: State, session: Session, lateness: number, isOutsized: boolean): void {
  const since = state.latest - 2 * lateness;
  const [, ...others] = byFirstUse(session.contexts);
  const stay = latestOf(others, lastOf, { ...CONTEXTS, since });
  dropContexts(
    session,
    others.filter((one) => !stay.includes(one)),
  );
  dropSessions(state, latestOf(state.sessions, lastOfSession, { ...SESSIONS, since }));
  pruneState(state);
  const entries = state.sessions
    .flatMap(({ contexts }) => contexts)
    .reduce((sum, { further }) => sum + 2 + further.length, 0);
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

/**
 * Adds a use to its session.
 *
 * @param lateness how far behind the latest event others may still come, ms
 * @returns the session, and whether the use tells something new about others too; undefined where the event names
 *   neither session nor token, or belongs to a session that is kept no longer
 */
export function recordUse(
  state: State,
  event: EnrichedAccessEvent,
  lateness: number,
): { session: Session; isNews: boolean } | undefined {
  if (event.sid === undefined && event.jti === undefined && event.token_hash === undefined) return undefined;
  const { shared } = state;
  const { next } = shared;
  state.latest = Math.max(state.latest, event.time);
  const use = useOf(shared, event);
  let session = state.sessions.findLast((one) => isOfSession(shared, one, use));
  if (session === undefined) {
    const { number: party, sid } = partyOf(shared, use.token);
    session = { party, ...(sid === undefined && { token: use.token }), contexts: [], standing: [], gone: 0 };
    state.sessions.push(session);
  }
  const isNews = recordInContext(state, session, use, lateness);
  if (isNews) state.networks = withNetwork(state.networks, nameOfNetwork(event.enrichment), event.time);
  const isOutsized = isLong(event);
  if (isNews || isOutsized || shared.next !== next) tidy(state, session, lateness, isOutsized);
  return state.sessions.includes(session) ? { session, isNews } : undefined;
}
