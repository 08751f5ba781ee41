import type { EnrichedAccessEvent } from '../../schemas/access-event.ts';
import { compareDevices } from '../../src/detection/client-context.ts';
import { distanceKm, type Point } from '../../src/detection/geodesy.ts';
import { latestOf, shrinkTo } from '../../src/detection/history.ts';
import type { Standing } from '../../src/detection/standing.ts';
import {
  emptyShared,
  isBefore,
  isLong,
  originOfUse,
  prune,
  sessionOf,
  useOf,
  type Origin,
  type Shared,
  type Use,
} from '../../src/detection/use.ts';
import { hourOf, oldestHour, openSince, thinned } from './thin.ts';

/** Contexts kept: those used last. */
const MAX_CONTEXTS = 24;
/** Sessions a context remembers: those used last, and where places are far apart those of all that is open. */
const SESSIONS = { least: 8, most: 32 };
/** Longest state, as characters of JSON. */
const MAX_STATE = 24_000;
/** Sightings that even the longest contexts leave room for. */
const MIN_SIGHTINGS = 8;

/** Where the database puts a network. */
export interface Place extends Point {
  accuracy_km?: number | undefined;
}

/** One device on one network at one place. */
export interface Context {
  number: number;
  /** Number of the origin of its first use. */
  origin: number;
  /** Of the first use. Absent where the record names no city: then it tells of devices only. */
  place?: Place | undefined;
  first: number;
  /** Id of the first use: breaks ties. */
  firstId: string;
  last: number;
  /** Sessions that live here, each by its latest token here. */
  sessions: { token: number; last: number }[];
  /** At most one. */
  standing: Standing[];
}

/** The uses of one context within one hour: the first and the last, whatever order they came in. */
export interface Sighting {
  context: number;
  hour: number;
  first: Use;
  /** Absent while there is but one use. */
  last?: Use | undefined;
}

/**
 * What is known of a subject. All of it are first and latest times and uses, so the order in which uses arrive and how
 * often each does leave no trace: as long as a context is used again within the allowed lateness or before 24 others
 * are, and no more contexts, sessions and sightings than fit are in use within two latenesses.
 */
export interface State {
  shared: Shared;
  contexts: Context[];
  /** Sorted by first use. */
  sightings: Sighting[];
  /** Latest event time seen. */
  latest: number;
  /** Whether any two places are far enough apart for a claim. */
  far: boolean;
}

export const initial = (): State => ({
  shared: emptyShared(),
  contexts: [],
  sightings: [],
  latest: 0,
  far: false,
});

export const lastOf = ({ first, last }: Sighting): Use => last ?? first;

function placeOf({ enrichment }: EnrichedAccessEvent): Place | undefined {
  const { latitude, longitude, accuracy_km, city } = enrichment;
  if (city === undefined || latitude === undefined || longitude === undefined) return undefined;
  return { latitude, longitude, accuracy_km };
}

function isAt({ asn, city, country, class: kind, user_agent, ja4 }: Origin, origin: Origin): boolean {
  return (
    asn === origin.asn &&
    city === origin.city &&
    country === origin.country &&
    kind === origin.class &&
    user_agent === origin.user_agent &&
    ja4 === origin.ja4
  );
}

/** Takes up the use in its context. Returns the context, and whether the use is its first one. */
function recordContext(
  state: State,
  event: EnrichedAccessEvent,
  use: Use,
): { context: Context; isFirst: boolean } {
  const { shared } = state;
  const { time, event_id: firstId } = event;
  const place = placeOf(event);
  const origin = originOfUse(shared, use);
  const known = state.contexts.findLast(
    (one) => (one.place === undefined) === (place === undefined) && isAt(originOfUse(shared, one), origin),
  );
  const first = { origin: use.origin, place, first: time, firstId };
  if (known === undefined) {
    const context = { number: shared.next, ...first, last: time, sessions: [], standing: [] };
    shared.next += 1;
    state.contexts.push(context);
    return { context, isFirst: true };
  }
  const isFirst = isBefore(event, { time: known.first, event_id: known.firstId });
  if (isFirst) Object.assign(known, first);
  known.last = Math.max(known.last, time);
  return { context: known, isFirst };
}

function recordSession(
  { shared, far, latest }: State,
  context: Context,
  { token, time }: Use,
  lateness: number,
): void {
  const session = sessionOf(shared, token);
  if (session === undefined) return;
  const known = context.sessions.find(
    (one) => one.token === token || sessionOf(shared, one.token) === session,
  );
  if (known !== undefined) {
    if (time >= known.last) Object.assign(known, { token, last: time });
    return;
  }
  context.sessions.push({ token, last: time });
  const since = far ? openSince(latest, lateness) : Infinity;
  const timeOf = (one: { token: number; last: number }) => ({
    time: one.last,
    event_id: sessionOf(shared, one.token) ?? '',
  });
  context.sessions = latestOf(context.sessions, timeOf, { ...SESSIONS, since });
}

/** Takes up the use among the sightings of its context. Returns whether there is one more of them. */
function recordSighting({ sightings }: State, { number }: Context, use: Use): boolean {
  const hour = hourOf(use.time);
  const known = sightings.findLast((one) => one.context === number && one.hour === hour);
  if (known === undefined) sightings.push({ context: number, hour, first: use });
  else {
    const last = isBefore(lastOf(known), use) ? use : lastOf(known);
    if (!isBefore(use, known.first)) {
      known.last = last === known.first || last.event_id === known.first.event_id ? undefined : last;
      return false;
    }
    known.first = use;
    known.last = last;
  }
  sightings.sort((a, b) => (isBefore(a.first, b.first) ? -1 : 1));
  return known === undefined;
}

function isFar(contexts: readonly Context[], farKm: number): boolean {
  const places = contexts.flatMap(({ place }) => place ?? []);
  return places.some((a, i) => places.slice(i + 1).some((b) => distanceKm(a, b) >= farKm));
}

function pruneState({ shared, contexts, sightings }: State): void {
  const tokens = contexts.flatMap(({ sessions, standing }) =>
    [...sessions, ...standing].map(({ token }) => token),
  );
  prune(shared, {
    uses: sightings.flatMap((one) => [one.first, lastOf(one)]),
    tokens,
    origins: contexts.map(({ origin }) => origin),
  });
}

function keepContexts(state: State, least: number): void {
  state.contexts = latestOf(state.contexts, ({ last, firstId }) => ({ time: last, event_id: firstId }), {
    least,
    most: 0,
    since: Infinity,
  });
  const numbers = new Set(state.contexts.map(({ number }) => number));
  state.sightings = state.sightings.filter(({ context }) => numbers.has(context));
}

/** Lets go of the oldest sighting, else of the context used longest ago, else of a session. */
function dropOldest(state: State): boolean {
  const { sightings, contexts } = state;
  const sociable = contexts.find(({ sessions }) => sessions.length > 1);
  if (sightings.length > MIN_SIGHTINGS || (contexts.length < 3 && sightings.length > 0)) sightings.shift();
  else if (contexts.length > 2) {
    keepContexts(state, contexts.length - 1);
  } else if (sociable !== undefined) sociable.sessions.pop();
  else return false;
  return true;
}

/**
 * Adds a use to what is known of the subject.
 *
 * @param farKm distance from which two places can be worth a claim
 * @param lateness how far behind the latest event others may still come, ms
 */
export function recordUse(state: State, event: EnrichedAccessEvent, farKm: number, lateness: number): void {
  const { shared } = state;
  const { next } = shared;
  state.latest = Math.max(state.latest, event.time);
  const use = useOf(shared, event);
  const { context, isFirst } = recordContext(state, event, use);
  recordSession(state, context, use, lateness);
  const isSighted = context.place !== undefined && hourOf(event.time) >= oldestHour(state.latest, lateness);
  const isNew = isSighted && recordSighting(state, context, use);
  if (isFirst) {
    keepContexts(state, MAX_CONTEXTS);
    state.far = isFar(state.contexts, farKm);
  }
  if (isNew) state.sightings = thinned(state, lateness);
  const isOutsized = isLong(event);
  if (!isFirst && !isNew && !isOutsized && shared.next === next) return;
  pruneState(state);
  const entries = 2 * state.sightings.length + state.contexts.length;
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

/** Whether the subject used a device like this one before `time`, in another context. */
export function knewDevice({ shared, contexts }: State, suspect: Context, time: number): boolean {
  const device = originOfUse(shared, suspect);
  return contexts.some((context) => {
    if (context === suspect || context.first >= time) return false;
    return compareDevices(originOfUse(shared, context), device) !== 'other';
  });
}
