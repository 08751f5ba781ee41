import { distanceKm } from '../../src/detection/geodesy.ts';
import { originOfUse, type Origin, type Shared, type Use } from '../../src/detection/use.ts';
import type { Options } from './options.ts';
import { lastOf, type Context, type Place, type Sighting } from './sightings.ts';
import { HORIZON } from './thin.ts';

// Clocks of gateways differ and log lines are rounded: nothing is taken to be quicker than this.
const LEAST_GAP_MS = 60_000;
const HOUR = 3_600_000;

/** A context with its place and origin. */
export interface Spot {
  context: Context;
  place: Place;
  origin: Origin;
}

/** The spot that a context is; undefined where it has no place. */
export function spotOf(shared: Shared, context: Context): Spot | undefined {
  const { place } = context;
  return place === undefined ? undefined : { context, place, origin: originOfUse(shared, context) };
}

/** Two uses that nobody can have made in one journey. */
export interface Flight {
  /** The suspect one, */
  use: Use;
  /** and the one it is held against. */
  anchor: Use;
  from: Spot;
  gapMs: number;
  /** Lower bound, km: great circle less both radii. */
  distance: number;
  radii: number;
  speed: number;
}

function radiusOf({ place, origin }: Spot, options: Options): number {
  const radius = place.accuracy_km ?? options.default_radius;
  return origin.class === 'mobile' ? Math.max(radius, options.mobile_radius) : radius;
}

/**
 * The anchor use nearest to a use of the suspect sighting, and the time between. Where the two interleave, uses between
 * their first and last ones may have been nearer.
 */
function nearest(suspect: Sighting, other: Sighting): { use: Use; anchor: Use; gapMs: number } {
  let best = { use: suspect.first, anchor: other.first, gapMs: Infinity };
  for (const use of [suspect.first, lastOf(suspect)]) {
    for (const anchor of [other.first, lastOf(other)]) {
      const gapMs = Math.abs(anchor.time - use.time);
      if (gapMs < best.gapMs) best = { use, anchor, gapMs };
    }
  }
  return best;
}

/** Whether two contexts could be one network that the database puts in two places. */
export function isSameOperator({ origin: a }: Spot, { origin: b }: Spot): boolean {
  return a.country === b.country && a.asn !== undefined && a.asn === b.asn;
}

/** Distance and speed between two placed uses, or undefined where an honest journey or network explains them. */
export function flightOf({ suspect, at, other, from }: Meeting, options: Options): Flight | undefined {
  if (suspect.first.ip === other.first.ip || suspect.first.ip === lastOf(other).ip) return undefined;
  const domestic = at.origin.country === from.origin.country;
  const mobile = at.origin.class === 'mobile' || from.origin.class === 'mobile';
  if (isSameOperator(at, from) || (domestic && mobile)) return undefined;
  const radii = radiusOf(at, options) + radiusOf(from, options);
  const distance = Math.max(0, distanceKm(at.place, from.place) - radii);
  if (distance < (domestic ? options.min_distance_domestic : options.min_distance)) return undefined;
  const { use, anchor, gapMs } = nearest(suspect, other);
  const speed = distance / (Math.max(gapMs, LEAST_GAP_MS) / HOUR);
  if (speed <= options.max_speed || gapMs > HORIZON) return undefined;
  return { use, anchor, from, gapMs, distance, radii, speed };
}

/** Two sightings of two contexts, the suspect one of which is of the context known for less long. */
export interface Meeting {
  suspect: Sighting;
  at: Spot;
  other: Sighting;
  from: Spot;
}

export const isOlder = (a: Context, b: Context): boolean =>
  a.first < b.first || (a.first === b.first && a.firstId < b.firstId);

/**
 * The consecutive sightings of any two contexts, oldest first. What lies further apart than consecutive sightings is
 * the slower journey.
 */
export function meetingsOf(sightings: readonly Sighting[], spots: ReadonlyMap<number, Spot>): Meeting[] {
  const meetings: Meeting[] = [];
  /** By context its latest sighting so far; the context sighted last comes last. */
  const latest = new Map<number, Sighting>();
  for (const later of sightings) {
    const here = spots.get(later.context);
    if (here === undefined) continue;
    for (const earlier of [...latest.values()].reverse()) {
      if (earlier.context === later.context) break;
      const there = spots.get(earlier.context);
      if (there === undefined) continue;
      meetings.push(
        isOlder(there.context, here.context)
          ? { suspect: later, at: here, other: earlier, from: there }
          : { suspect: earlier, at: there, other: later, from: here },
      );
    }
    latest.delete(later.context);
    latest.set(later.context, later);
  }
  return meetings;
}
