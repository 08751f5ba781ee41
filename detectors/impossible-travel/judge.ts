import type { Signal } from '../../schemas/finding.ts';
import { compareDevices, describeDevice, describeNetwork } from '../../src/detection/client-context.ts';
import type { DetectorContext, FindingDraft } from '../../src/detection/contract.ts';
import { egressFeature } from '../../src/detection/features.ts';
import { distanceKm } from '../../src/detection/geodesy.ts';
import { clientKey } from '../../src/detection/keys.ts';
import {
  describeSpan,
  evidenceOfUse,
  isBefore,
  partyOf,
  sessionOf,
  suspectOfUse,
  type Shared,
  type Use,
} from '../../src/detection/use.ts';
import { flightOf, isOlder, isSameOperator, meetingsOf, spotOf, type Flight, type Spot } from './flight.ts';
import type { Options } from './options.ts';
import { knewDevice, lastOf, type Sighting, type State } from './sightings.ts';
import { openSince } from './thin.ts';

/** With both signals, and still below what revokes without a second detector: geo databases err. */
const HIGHEST = 0.85;
const LOWEST = 0.3;

/** What is known of a suspect use besides its flights. */
interface Circumstances {
  newDevice: boolean;
  /** Whether its session lives in one of the contexts it cannot have come from. */
  sameSession: boolean;
}

/** Whether the subject had been seen around the place of `at` long enough before `time` for it to be its own. */
function isFamiliar(spots: readonly Spot[], at: Spot, time: number, options: Options): boolean {
  return spots.some((known) => {
    if (known.context.first > time - options.familiar_after) return false;
    if (known.context === at.context) return true;
    if (isSameOperator(known, at) && known.origin.class !== 'hosting') return true;
    return distanceKm(known.place, at.place) <= options.default_radius;
  });
}

/** How sure, and on what kinds of evidence; undefined where a VPN of the subject's own explains all of it. */
function grade(
  { distance, from }: Flight,
  at: Spot,
  { newDevice, sameSession, settled }: Circumstances & { settled: boolean },
): { confidence: number; signals: Signal[] } | undefined {
  const rented = at.origin.class === 'hosting' || at.origin.class === 'unknown';
  if (rented && !newDevice) return undefined;
  let confidence = distance >= 3000 ? 0.6 : distance >= 1000 ? 0.5 : 0.35;
  if (newDevice) confidence += 0.2;
  else if (!sameSession) confidence -= 0.1;
  if (at.origin.country === from.origin.country) confidence -= 0.15;
  if (at.origin.class === 'mobile' || from.origin.class === 'mobile') confidence -= 0.15;
  if (from.origin.class === 'hosting') confidence -= 0.15;
  if (!settled && distance < 3000) confidence -= 0.1;
  confidence = Math.round(Math.min(HIGHEST, confidence) * 100) / 100;
  if (confidence < LOWEST) return undefined;
  return { confidence, signals: newDevice ? ['location', 'device'] : ['location'] };
}

interface Graded {
  flight: Flight;
  confidence: number;
  signals: Signal[];
}

function claim(
  shared: Shared,
  suspect: Sighting,
  at: Spot,
  { flight, confidence, signals }: Graded,
  options: Options,
): FindingDraft {
  const { use, anchor, from, distance, radii, gapMs, speed } = flight;
  const device = signals.includes('device')
    ? `, from a device new to the subject (${describeDevice(at.origin)})`
    : ` (${describeDevice(at.origin)})`;
  const rests = [anchor, suspect.first, ...(use === suspect.first ? [] : [use])];
  return {
    kind: 'flight',
    confidence,
    signals,
    reason:
      `Used through a ${describeNetwork(at.origin)}${device}, ${describeSpan(gapMs)} ${isBefore(anchor, use) ? 'after' : 'before'} ` +
      `a use through the subject's ${describeNetwork(from.origin)}: at least ${Math.round(distance)} km apart ` +
      `(${Math.round(radii)} km of inaccuracy taken off), ${Math.round(speed)} km/h where ${options.max_speed} is possible`,
    measures: {
      distance_km: Math.round(distance),
      radii_km: Math.round(radii),
      minutes: Math.round(gapMs / 60_000),
      speed_kmh: Math.round(speed),
      max_speed_kmh: options.max_speed,
    },
    suspect: suspectOfUse(shared, suspect.first),
    evidence: rests.sort((a, b) => (isBefore(a, b) ? -1 : 1)).map((one) => evidenceOfUse(shared, one)),
  };
}

/** Whether the address of the suspect use was at another place just before: then the database moved, not the subject. */
function isMovedAddress(
  sightings: readonly Sighting[],
  spots: ReadonlyMap<number, Spot>,
  suspect: Sighting,
  at: Spot,
): boolean {
  const { ip } = suspect.first;
  const seen = new Set<number>();
  for (const one of sightings.slice(0, sightings.indexOf(suspect)).reverse()) {
    if (seen.has(one.context)) continue;
    seen.add(one.context);
    const isElsewhere = spots.get(one.context)?.origin.city !== at.origin.city;
    if (isElsewhere && (one.first.ip === ip || lastOf(one).ip === ip)) return true;
  }
  return false;
}

/** Whether the exit is shared: known from other subjects of the client, so that it says nothing of this one. */
function isSharedEgress(shared: Shared, use: Use, { origin }: Spot, ctx: DetectorContext<Options>): boolean {
  const client = clientKey(partyOf(shared, use.token));
  if (client === null || origin.asn === undefined) return false;
  if (origin.class !== 'hosting' && origin.class !== 'unknown') return false;
  return (
    ctx.adoption(client, egressFeature(origin.asn), use.time).subjects > ctx.config.shared_egress_subjects
  );
}

/** The surer claim; of equal ones that with the anchor known longest, and of its uses the nearest. */
function isStronger(a: Graded, b: Graded): boolean {
  if (a.confidence !== b.confidence) return a.confidence > b.confidence;
  if (a.flight.from === b.flight.from) return a.flight.gapMs < b.flight.gapMs;
  return isOlder(a.flight.from.context, b.flight.from.context);
}

/**
 * What the suspect use justifies, held against the subject's older contexts. A device of the subject's own is held
 * against its own track only, since phones travel and what stays at home keeps polling; a device never seen before,
 * against all.
 */
function judgeSuspect(
  state: State,
  suspect: Sighting,
  at: Spot,
  candidates: readonly Flight[],
  ctx: DetectorContext<Options>,
): Graded | undefined {
  const { config: options } = ctx;
  const { shared } = state;
  const { first } = suspect;
  const newDevice = at.origin.family !== undefined && !knewDevice(state, at.context, first.time);
  const session = sessionOf(shared, first.token);
  const isSettled = ({ context }: Spot) => context.first <= first.time - options.familiar_after;
  const flights: Flight[] = [];
  let sameSession = false;
  for (const flight of candidates) {
    const { from, anchor } = flight;
    const lives = from.context.sessions.some(({ token }) => sessionOf(shared, token) === session);
    const ownTrack = (session !== undefined && lives) || compareDevices(from.origin, at.origin) !== 'other';
    // What is new says something only of a subject whose devices are known.
    if (!ownTrack && !(newDevice && isSettled(from))) continue;
    if (isSharedEgress(shared, anchor, from, ctx)) continue;
    flights.push(flight);
    // Where no token is named nothing says that they are two sessions.
    sameSession ||= lives || session === undefined;
  }
  let best: Graded | undefined;
  for (const flight of flights) {
    const settled = isSettled(flight.from);
    const told = newDevice && (settled || sameSession);
    const graded = grade(flight, at, { newDevice: told, sameSession, settled });
    if (graded === undefined) continue;
    const candidate = { flight, ...graded };
    if (best === undefined || isStronger(candidate, best)) best = candidate;
  }
  return best;
}

/**
 * The claims on the contexts of a subject, by number: of each context the one on its earliest use that no journey
 * connects to the subject's older contexts, as far as it is not settled yet.
 */
export function judgeFlights(state: State, ctx: DetectorContext<Options>): Map<number, FindingDraft> {
  const { shared } = state;
  const { config: options } = ctx;
  const since = openSince(state.latest, ctx.allowedLateness);
  const spots = state.contexts.flatMap((one) => spotOf(shared, one) ?? []);
  const byNumber = new Map(spots.map((spot) => [spot.context.number, spot]));
  const candidates = new Map<Sighting, { at: Spot; flights: Flight[] }>();
  for (const meeting of meetingsOf(state.sightings, byNumber)) {
    const { suspect, at } = meeting;
    const flight = suspect.first.time < since ? undefined : flightOf(meeting, options);
    if (flight === undefined) continue;
    const { flights } = candidates.get(suspect) ?? { flights: [] };
    candidates.set(suspect, { at, flights: [...flights, flight] });
  }
  const claims = new Map<number, FindingDraft>();
  for (const suspect of state.sightings) {
    const { at, flights = [] } = candidates.get(suspect) ?? {};
    if (at === undefined || claims.has(suspect.context)) continue;
    if (
      isFamiliar(spots, at, suspect.first.time, options) ||
      isMovedAddress(state.sightings, byNumber, suspect, at)
    )
      continue;
    if (isSharedEgress(shared, suspect.first, at, ctx)) continue;
    const graded = judgeSuspect(state, suspect, at, flights, ctx);
    if (graded !== undefined) claims.set(suspect.context, claim(shared, suspect, at, graded, options));
  }
  return claims;
}
