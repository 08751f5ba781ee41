import type { EnrichedAccessEvent } from '../../schemas/access-event.ts';
import { compareDevices } from '../../src/detection/client-context.ts';
import { distanceKm, type Point } from '../../src/detection/geodesy.ts';
import type { Standing } from '../../src/detection/standing.ts';
import { isBefore, originOf, useOf, type Origin, type Use } from '../../src/detection/use.ts';

const HOUR = 3_600_000;
/** Past this no distance on Earth is too far: half the equator at 1000 km/h is 20 hours. */
const HORIZON = 24 * HOUR;
const MAX_SIGHTINGS = 24;
/** While all places are close to each other there is nothing to tell, and less to keep. */
const MAX_CLOSE_SIGHTINGS = 12;
const MAX_CONTEXTS = 24;

/** Where the database puts a network. */
export interface Place extends Point {
  accuracy_km?: number | undefined;
}

/** One device on one network at one place. */
export interface Context extends Origin {
  id: number;
  /** Absent where the record names no city: then it tells of devices only. */
  place?: Place | undefined;
  first: number;
  /** Id of the first use: breaks ties. */
  firstId: string;
  last: number;
  standing: Standing[];
}

/** The uses of one context within one hour: the first and the last, whatever order they came in. */
export interface Sighting {
  context: number;
  hour: number;
  first: Use;
  last: Use;
}

export interface State {
  contexts: Context[];
  /** Sorted by hour. */
  sightings: Sighting[];
  nextId: number;
  /** Latest event time seen. */
  latest: number;
  /** Whether any two places are far enough apart for a claim. */
  far: boolean;
}

function contextOf(state: State, event: EnrichedAccessEvent): Context | undefined {
  const { asn, city, country, latitude } = event.enrichment;
  return state.contexts.findLast(
    ({ network, device, place }) =>
      network.asn === asn &&
      network.city === city &&
      network.country === country &&
      network.class === event.enrichment.network &&
      device.user_agent === event.user_agent &&
      device.ja4 === event.ja4 &&
      (place === undefined) === (city === undefined || latitude === undefined),
  );
}

/** Number of the hour an event time lies in. */
export const hourOf = (time: number): number => Math.floor(time / HOUR);

const isPlaced = (context: Context): context is Context & { place: Place } => context.place !== undefined;

function newContext(state: State, event: EnrichedAccessEvent, farKm: number): Context {
  const { latitude, longitude, accuracy_km, city } = event.enrichment;
  const placed = city !== undefined && latitude !== undefined && longitude !== undefined;
  const context: Context = {
    id: state.nextId,
    ...originOf(event),
    place: placed ? { latitude, longitude, accuracy_km } : undefined,
    first: event.time,
    firstId: event.event_id,
    last: event.time,
    standing: [],
  };
  state.nextId += 1;
  state.contexts.push(context);
  if (state.contexts.length > MAX_CONTEXTS) {
    const oldest = state.contexts.reduce((a, b) => (b.last < a.last ? b : a));
    state.contexts = state.contexts.filter((one) => one !== oldest);
    state.sightings = state.sightings.filter((one) => one.context !== oldest.id);
  }
  const placedOnes = state.contexts.filter(isPlaced);
  state.far = placedOnes.some((a, i) =>
    placedOnes.slice(i + 1).some((b) => distanceKm(a.place, b.place) >= farKm),
  );
  return context;
}

/**
 * Adds a use to what is known of the subject. All it keeps are first and last times and uses, so the order in which
 * uses arrive and how often each does leave no trace.
 *
 * @param farKm distance from which two places can be worth a claim
 */
export function recordUse(state: State, event: EnrichedAccessEvent, farKm: number): void {
  const context = contextOf(state, event) ?? newContext(state, event, farKm);
  if (isBefore(event, { time: context.first, event_id: context.firstId })) {
    context.first = event.time;
    context.firstId = event.event_id;
  }
  context.last = Math.max(context.last, event.time);
  state.latest = Math.max(state.latest, event.time);
  if (context.place === undefined || event.time < state.latest - HORIZON) return;

  const hour = hourOf(event.time);
  const known = state.sightings.findLast((one) => one.context === context.id && one.hour === hour);
  if (known === undefined) {
    const like = state.sightings.findLast((one) => one.context === context.id)?.last;
    const use = useOf(event, like ?? state.sightings.at(-1)?.last);
    const at = state.sightings.findLastIndex((one) => one.hour <= hour) + 1;
    state.sightings.splice(at, 0, { context: context.id, hour, first: use, last: use });
    const { latest } = state;
    const limit = state.far ? MAX_SIGHTINGS : MAX_CLOSE_SIGHTINGS;
    while (state.sightings.length > limit || (state.sightings[0]?.last.time ?? latest) < latest - HORIZON) {
      state.sightings.shift();
    }
  } else if (isBefore(event, known.first)) known.first = useOf(event, known.first);
  else if (isBefore(known.last, event)) known.last = useOf(event, known.last);
}

/** Whether the subject used a device like this one before `time`, in another context. */
export function knewDevice(state: State, suspect: Context, time: number): boolean {
  return state.contexts.some((context) => {
    if (context === suspect || context.first >= time) return false;
    return compareDevices(context.device, suspect.device) !== 'other';
  });
}
