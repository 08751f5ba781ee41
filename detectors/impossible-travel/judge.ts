import type { Signal } from '../../schemas/finding.ts';
import { compareDevices, describeDevice, describeNetwork } from '../../src/detection/client-context.ts';
import type { DetectorContext, FindingDraft } from '../../src/detection/contract.ts';
import { egressFeature } from '../../src/detection/features.ts';
import { distanceKm } from '../../src/detection/geodesy.ts';
import { clientKey, sessionKey } from '../../src/detection/keys.ts';
import { describeSpan, evidenceOfUse, isBefore, suspectOfUse, type Use } from '../../src/detection/use.ts';
import type { Options } from './options.ts';
import { knewDevice, type Context, type Place, type Sighting, type State } from './sightings.ts';

// Clocks of gateways differ and log lines are rounded: nothing is taken to be quicker than this.
const LEAST_GAP_MS = 60_000;
const HOUR = 3_600_000;
/** With both signals, and still below what revokes without a second detector: geo databases err. */
const HIGHEST = 0.85;
const LOWEST = 0.3;

type Placed = Context & { place: Place };

/** Two uses that nobody can have made in one journey. */
interface Flight {
  anchor: Use;
  anchorContext: Placed;
  gapMs: number;
  /** Lower bound, km: great circle less both radii. */
  distance: number;
  radii: number;
  speed: number;
}

const isPlaced = (context: Context | undefined): context is Placed => context?.place !== undefined;

function radiusOf({ place, network }: Placed, options: Options): number {
  const radius = place.accuracy_km ?? options.default_radius;
  return network.class === 'mobile' ? Math.max(radius, options.mobile_radius) : radius;
}

/** The anchor use nearest to the suspect sighting, and the time between; where they interleave, at most that. */
function nearest(suspect: Sighting, other: Sighting): { anchor: Use; gapMs: number } {
  const { first, last } = suspect;
  if (!isBefore(first, other.last)) return { anchor: other.last, gapMs: first.time - other.last.time };
  if (isBefore(last, other.first)) return { anchor: other.first, gapMs: other.first.time - last.time };
  const gaps = [other.first, other.last].map((anchor) => ({
    anchor,
    gapMs: Math.abs(anchor.time - first.time),
  }));
  return gaps.reduce((a, b) => (b.gapMs < a.gapMs ? b : a));
}

/** Whether two contexts could be one network that the database puts in two places. */
function sameOperator(a: Context, b: Context): boolean {
  return (
    a.network.country === b.network.country && a.network.asn !== undefined && a.network.asn === b.network.asn
  );
}

/** Whether the subject had been seen around the place of `context` long enough before `time` for it to be its own. */
function isFamiliar(state: State, context: Placed, time: number, options: Options): boolean {
  return state.contexts.some((known) => {
    if (known.first > time - options.familiar_after || !isPlaced(known)) return false;
    if (known === context || (sameOperator(known, context) && known.network.class !== 'hosting')) return true;
    return distanceKm(known.place, context.place) <= options.default_radius;
  });
}

/** Distance and speed between two placed uses, or undefined where an honest journey or network explains them. */
function flightBetween(
  suspect: Sighting,
  at: Placed,
  other: Sighting,
  from: Placed,
  options: Options,
): Flight | undefined {
  if (suspect.first.ip === other.first.ip || suspect.first.ip === other.last.ip) return undefined;
  const domestic = at.network.country === from.network.country;
  const mobile = at.network.class === 'mobile' || from.network.class === 'mobile';
  if (sameOperator(at, from) || (domestic && mobile)) return undefined;
  const radii = radiusOf(at, options) + radiusOf(from, options);
  const distance = Math.max(0, distanceKm(at.place, from.place) - radii);
  if (distance < (domestic ? options.min_distance_domestic : options.min_distance)) return undefined;
  const { anchor, gapMs } = nearest(suspect, other);
  const speed = distance / (Math.max(gapMs, LEAST_GAP_MS) / HOUR);
  return speed > options.max_speed
    ? { anchor, anchorContext: from, gapMs, distance, radii, speed }
    : undefined;
}

/** How sure, and on what kinds of evidence; undefined where a VPN of the subject's own explains all of it. */
function grade(
  flight: Flight,
  at: Placed,
  { newDevice, sameSession, settled }: { newDevice: boolean; sameSession: boolean; settled: boolean },
): { confidence: number; signals: Signal[] } | undefined {
  const { distance, anchorContext } = flight;
  const rented = at.network.class === 'hosting' || at.network.class === 'unknown';
  if (rented && !newDevice) return undefined;
  let confidence = distance >= 3000 ? 0.6 : distance >= 1000 ? 0.5 : 0.35;
  if (newDevice) confidence += 0.2;
  else if (!sameSession) confidence -= 0.1;
  if (at.network.country === anchorContext.network.country) confidence -= 0.15;
  if (at.network.class === 'mobile' || anchorContext.network.class === 'mobile') confidence -= 0.15;
  if (anchorContext.network.class === 'hosting') confidence -= 0.15;
  if (!settled && distance < 3000) confidence -= 0.1;
  confidence = Math.round(Math.min(HIGHEST, confidence) * 100) / 100;
  if (confidence < LOWEST) return undefined;
  return { confidence, signals: newDevice ? ['location', 'device'] : ['location'] };
}

function claim(
  suspect: Sighting,
  at: Placed,
  flight: Flight,
  { confidence, signals }: { confidence: number; signals: Signal[] },
  options: Options,
): FindingDraft {
  const { anchor, anchorContext, distance, radii, gapMs, speed } = flight;
  const device = signals.includes('device')
    ? `, from a device new to the subject (${describeDevice(at.device)})`
    : ` (${describeDevice(at.device)})`;
  const evidence = [evidenceOfUse(anchor, anchorContext), evidenceOfUse(suspect.first, at)];
  if (isBefore(suspect.first, anchor)) evidence.reverse();
  return {
    kind: 'flight',
    confidence,
    signals,
    reason:
      `Used through a ${describeNetwork(at.network)}${device}, ${describeSpan(gapMs)} ${isBefore(anchor, suspect.first) ? 'after' : 'before'} ` +
      `a use through the subject's ${describeNetwork(anchorContext.network)}: at least ${Math.round(distance)} km apart ` +
      `(${Math.round(radii)} km of inaccuracy taken off), ${Math.round(speed)} km/h where ${options.max_speed} is possible`,
    measures: {
      distance_km: Math.round(distance),
      radii_km: Math.round(radii),
      minutes: Math.round(gapMs / 60_000),
      speed_kmh: Math.round(speed),
      max_speed_kmh: options.max_speed,
    },
    suspect: suspectOfUse(suspect.first),
    evidence,
  };
}

/** Whether the address of the suspect use was at another place before: then the database moved, not the subject. */
function isSameAddressElsewhere(
  one: Sighting,
  suspect: Sighting,
  at: Context,
  byId: ReadonlyMap<number, Context>,
): boolean {
  if (one.first.ip !== suspect.first.ip && one.last.ip !== suspect.first.ip) return false;
  return byId.get(one.context)?.network.city !== at.network.city && isBefore(one.first, suspect.first);
}

/** Whether the exit is shared: known from other subjects of the client, so that it says nothing of this one. */
function isSharedEgress(use: Use, { network }: Context, ctx: DetectorContext<Options>): boolean {
  const client = clientKey(use);
  if (client === null || network.asn === undefined) return false;
  if (network.class !== 'hosting' && network.class !== 'unknown') return false;
  return (
    ctx.adoption(client, egressFeature(network.asn), use.time).subjects > ctx.config.shared_egress_subjects
  );
}

/**
 * The claim on one context of a subject, if any: its earliest use that no journey connects to the subject's older
 * contexts. A device of the subject's own is held against its own track only, since phones travel and what stays at
 * home keeps polling; a device never seen before, against all.
 */
export function judgeContext(
  state: State,
  at: Context,
  ctx: DetectorContext<Options>,
): FindingDraft | undefined {
  if (!isPlaced(at)) return undefined;
  const { config: options } = ctx;
  const byId = new Map(state.contexts.map((context) => [context.id, context]));
  for (const suspect of state.sightings) {
    if (suspect.context !== at.id || isFamiliar(state, at, suspect.first.time, options)) continue;
    const movedDatabase = state.sightings.some((one) => isSameAddressElsewhere(one, suspect, at, byId));
    if (movedDatabase || isSharedEgress(suspect.first, at, ctx)) continue;
    const newDevice = at.device.family !== undefined && !knewDevice(state, at, suspect.first.time);
    let found: Flight | undefined;
    let sameSession = false;
    for (const other of state.sightings) {
      const from = byId.get(other.context);
      if (!isPlaced(from) || from === at || !isOlder(from, at) || isSharedEgress(other.first, from, ctx))
        continue;
      const session = sessionKey(suspect.first);
      const shares = session !== null && session === sessionKey(other.first);
      const ownTrack = shares || compareDevices(from.device, at.device) !== 'other';
      // What is new says something only of a subject whose devices are known.
      const settled = from.first <= suspect.first.time - options.familiar_after;
      if (!ownTrack && !(newDevice && settled)) continue;
      const flight = flightBetween(suspect, at, other, from, options);
      if (flight === undefined) continue;
      if (found === undefined || isStronger(flight, found)) found = flight;
      // Where no token is named nothing says that they are two sessions.
      sameSession ||= shares || session === null;
    }
    if (found === undefined) continue;
    const settled = found.anchorContext.first <= suspect.first.time - options.familiar_after;
    const told = newDevice && (settled || sameSession);
    const graded = grade(found, at, { newDevice: told, sameSession, settled });
    if (graded !== undefined) return claim(suspect, at, found, graded, options);
  }
  return undefined;
}

const isOlder = (a: Context, b: Context) =>
  a.first < b.first || (a.first === b.first && a.firstId < b.firstId);

/** The anchor known longest counts; of its uses the nearest. */
function isStronger(a: Flight, b: Flight): boolean {
  if (a.anchorContext === b.anchorContext) return a.gapMs < b.gapMs;
  return isOlder(a.anchorContext, b.anchorContext);
}
