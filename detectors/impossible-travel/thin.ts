import type { State, Sighting } from './sightings.ts';

const HOUR = 3_600_000;
/** Past this no distance on Earth is too far: half the equator at 1000 km/h is 20 hours. Two uses further apart are not compared. */
export const HORIZON = 24 * HOUR;
/** Sightings kept; the oldest goes. */
const MAX_SIGHTINGS = 48;

/** Number of the hour an event time lies in. */
export const hourOf = (time: number): number => Math.floor(time / HOUR);

/** From when on a use may be suspect still: a use that is a horizon later may come a lateness after that. */
export const openSince = (latest: number, lateness: number): number => latest - HORIZON - lateness;

/**
 * Whether claims on uses of that time are settled: nothing that may still come can change them, or what they rest on is
 * not all kept any more.
 */
export function isSettled(
  { sightings, latest }: Pick<State, 'sightings' | 'latest'>,
  time: number,
  lateness: number,
): boolean {
  if (time < openSince(latest, lateness)) return true;
  const oldest = sightings[0]?.first.time ?? Infinity;
  return time < oldest || (sightings.length >= MAX_SIGHTINGS && time < oldest + HORIZON);
}

/** The hour from which on sightings count: those that suspect uses are held against. */
export const oldestHour = (latest: number, lateness: number): number =>
  hourOf(openSince(latest, lateness) - HORIZON);

/**
 * The sightings that can still matter. Only consecutive uses of two contexts are ever held against each other. So of
 * hours that are settled, which nothing that is still to come falls into, those in the middle of a stay in one context
 * are of no more use; and while all places are near each other, all but the latest of each context.
 *
 * @param lateness how far behind the latest event others may still come, ms
 */
export function thinned(
  { sightings, contexts, latest, far }: Pick<State, 'sightings' | 'contexts' | 'latest' | 'far'>,
  lateness: number,
): Sighting[] {
  const oldest = oldestHour(latest, lateness);
  const settled = hourOf(latest - lateness);
  const claimed = new Set(contexts.flatMap(({ standing }) => standing.map(({ event_id }) => event_id)));
  const isPast = (one: Sighting | undefined) => one === undefined || one.hour < settled;
  const lastSettled = (context: number) =>
    sightings.findLast((one) => one.context === context && isPast(one));
  return sightings
    .filter((one, at) => {
      if (one.hour < oldest) return false;
      if (!isPast(one) || claimed.has(one.first.event_id)) return true;
      if (!far) return lastSettled(one.context) === one;
      const [before, after] = [sightings[at - 1], sightings[at + 1]];
      return before?.context !== one.context || after?.context !== one.context || !isPast(after);
    })
    .slice(-MAX_SIGHTINGS);
}
